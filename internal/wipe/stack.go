package wipe

// The stack that OnOwnStack uses: base bytes above f, and work below, which is
// more than anything with secrets needs. The sum makes a stack of 128 KiB. As
// base is more than a quarter of that, the runtime does not shrink it, which
// would leave a copy behind.
const (
	base = 40 << 10
	work = 64 << 10
)

// OnOwnStack calls f on a goroutine of its own, whose stack is overwritten
// afterwards, and returns when that is done. A panic of f panics in the caller.
func OnOwnStack(f func()) {
	done := make(chan any)
	go aboveBase(f, done)
	if failure := <-done; failure != nil {
		panic(failure)
	}
}

// aboveBase calls f with base bytes of the stack in use.
//
//go:noinline
func aboveBase(f func(), done chan<- any) {
	var room [base]byte
	touch(room[:])
	overwriteStack() // grows it, so that nothing is copied while f runs
	defer func() {
		failure := recover()
		overwriteStack()
		touch(room[:])
		done <- failure
	}()
	f()
}

// overwriteStack zeroes the stack below its caller.
//
//go:noinline
func overwriteStack() {
	var room [work]byte
	touch(room[:])
}

//go:noinline
func touch(p []byte) { clear(p) }
