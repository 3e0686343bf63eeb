module github.com/gossh-project/gossh

go 1.26.0

require (
	github.com/creack/pty v1.1.24
	github.com/dchest/bcrypt_pbkdf v0.0.0-20150205184540-83f37f9c154a
	go.uber.org/goleak v1.3.0
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0
)
