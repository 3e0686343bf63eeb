package transport

// Message numbers of the transport layer (RFC 4250, section 4.1.2; RFC 4419,
// section 5; RFC 5656, section 7.1; RFC 8308).
const (
	msgDisconnect     = 1
	msgIgnore         = 2
	msgUnimplemented  = 3
	msgDebug          = 4
	msgServiceRequest = 5
	msgServiceAccept  = 6
	msgExtInfo        = 7
	msgKexInit        = 20
	msgNewKeys        = 21

	// Messages of the key exchange methods share their numbers.
	msgKexFirst    = 30
	msgKexInit30   = 30 // KEXDH_INIT, KEX_ECDH_INIT
	msgKexReply31  = 31 // KEXDH_REPLY, KEX_ECDH_REPLY
	msgGexGroup    = 31
	msgGexInit     = 32
	msgGexReply    = 33
	msgGexRequest  = 34
	msgKexLast     = 49
	msgPing        = 192 // ping@openssh.com
	msgPong        = 193
	msgFirstHigher = 50 // the first number of the layers above
)

// Messages, in the form that ssh.Marshal and ssh.Unmarshal work on.
type disconnectMsg struct {
	Reason   uint32 `sshtype:"1"`
	Message  string
	Language string
}

type kexInitMsg struct {
	Cookie                  [16]byte `sshtype:"20"`
	KexAlgos                []string
	ServerHostKeyAlgos      []string
	CiphersClientServer     []string
	CiphersServerClient     []string
	MACsClientServer        []string
	MACsServerClient        []string
	CompressionClientServer []string
	CompressionServerClient []string
	LanguagesClientServer   []string
	LanguagesServerClient   []string
	FirstKexFollows         bool
	Reserved                uint32
}

type kexInit30Msg struct {
	Public []byte `sshtype:"30"`
}

type kexReply31Msg struct {
	HostKey   []byte `sshtype:"31"`
	Public    []byte
	Signature []byte
}

type gexRequestMsg struct {
	Min, Preferred, Max uint32 `sshtype:"34"`
}

type gexGroupMsg struct {
	P, G []byte `sshtype:"31"` // mpint bodies
}

type gexInitMsg struct {
	Public []byte `sshtype:"32"`
}

type gexReplyMsg struct {
	HostKey   []byte `sshtype:"33"`
	Public    []byte
	Signature []byte
}
