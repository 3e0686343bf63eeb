//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package process

// kernelSigset is the size in bytes of the kernel's sigset_t.
const kernelSigset = 8
