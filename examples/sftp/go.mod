module github.com/gossh-project/gossh/examples/sftp

go 1.26.0

require (
	github.com/gossh-project/gossh v0.0.0
	github.com/pkg/sftp v1.13.12
	golang.org/x/crypto v0.58.0
)

require (
	github.com/creack/pty v1.1.24 // indirect
	github.com/dchest/bcrypt_pbkdf v0.0.0-20150205184540-83f37f9c154a // indirect
	github.com/kr/fs v0.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/gossh-project/gossh => ../..
