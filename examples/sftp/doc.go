// Package sftp shows how package client is used with github.com/pkg/sftp. It is a
// module of its own, so that programs which import gossh do not depend on that
// package.
package sftp
