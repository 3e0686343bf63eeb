package share

import "os"

// There are no passengers on Windows, and so nobody to relay for.
func resizeSignal() os.Signal { return nil }

func relayResize(int) {}
