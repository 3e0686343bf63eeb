package share

import "os"

// Windows has no control sockets, and so no clients to relay for.
func resizeSignal() os.Signal { return nil }

func relayResize(int) {}
