package agentfwd

import "errors"

// UsageLog appends one line for each use of a forwarded agent to a file.
type UsageLog struct{}

// OpenUsageLog opens the file, which is made with mode 0600 if need be.
func OpenUsageLog(path string) (*UsageLog, error) { return nil, errors.ErrUnsupported }

// Log writes one line; control characters are escaped. It fits Policy.Log, and
// may be called concurrently. An error is kept for Close.
func (l *UsageLog) Log(use Use) {}

// Close closes the file and returns the first error there was.
func (l *UsageLog) Close() error { return nil }
