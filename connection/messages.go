package connection

// Message numbers (RFC 4254, section 9).
const (
	msgGlobalRequest  = 80
	msgRequestSuccess = 81
	msgRequestFailure = 82

	msgChannelOpen         = 90
	msgChannelOpenConfirm  = 91
	msgChannelOpenFailure  = 92
	msgChannelWindowAdjust = 93
	msgChannelData         = 94
	msgChannelExtendedData = 95
	msgChannelEOF          = 96
	msgChannelClose        = 97
	msgChannelRequest      = 98
	msgChannelSuccess      = 99
	msgChannelFailure      = 100
)

// extendedStderr is the one type of extended data that there is (section 5.2).
const extendedStderr = 1

// Messages, in the form that ssh.Marshal and ssh.Unmarshal work on.
type globalRequestMsg struct {
	Type      string `sshtype:"80"`
	WantReply bool
	Data      []byte `ssh:"rest"`
}

type channelOpenMsg struct {
	Type      string `sshtype:"90"`
	Sender    uint32
	Window    uint32
	MaxPacket uint32
	Data      []byte `ssh:"rest"`
}

type channelOpenConfirmMsg struct {
	Recipient uint32 `sshtype:"91"`
	Sender    uint32
	Window    uint32
	MaxPacket uint32
	Data      []byte `ssh:"rest"`
}

type channelOpenFailureMsg struct {
	Recipient uint32 `sshtype:"92"`
	Reason    uint32
	Message   string
	Language  string
}

type channelRequestMsg struct {
	Recipient uint32 `sshtype:"98"`
	Type      string
	WantReply bool
	Data      []byte `ssh:"rest"`
}

// channelMessage returns a message whose only field is the channel.
func channelMessage(number byte, channel uint32) []byte {
	return []byte{number, byte(channel >> 24), byte(channel >> 16), byte(channel >> 8), byte(channel)}
}

func be32(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}

func putBE32(p []byte, v uint32) {
	p[0], p[1], p[2], p[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}
