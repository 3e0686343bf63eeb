package keepalive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WatchNetwork returns a channel that delivers when links, addresses or routes
// of this machine change; changes that come while nobody listens are one. One
// watcher does for a process: call Hint of each Monitor. It ends, and the
// channel is closed, when ctx is done. On systems other than Linux the error
// is errors.ErrUnsupported and the channel nil, which never delivers.
func WatchNetwork(ctx context.Context) (<-chan struct{}, error) {
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE |
		unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE
	// Not blocking, so that the runtime's poller serves it and Close ends a
	// Read.
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("keepalive: watching the network: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("keepalive: watching the network: %w", err)
	}
	w := &netWatcher{
		file:    os.NewFile(uintptr(fd), "netlink"),
		changes: make(chan struct{}, 1),
		links:   make(map[int32]uint32),
	}
	stop := context.AfterFunc(ctx, func() { w.file.Close() })
	go w.run(stop)
	return w.changes, nil
}

// A netWatcher reads what the kernel says of links, addresses and routes:
// rtnetlink(7).
type netWatcher struct {
	file    *os.File
	changes chan struct{}
	links   map[int32]uint32 // the state of each link, by index
}

// run ends when the socket is closed, which is when the context is done.
func (w *netWatcher) run(stop func() bool) {
	defer close(w.changes)
	defer w.file.Close()
	defer stop()
	buf := make([]byte, 32<<10)
	for {
		n, err := w.file.Read(buf)
		if errors.Is(err, unix.ENOBUFS) {
			// Messages were dropped. There were any, that is enough.
			w.tell()
			continue
		}
		if err != nil {
			return
		}
		if w.changed(buf[:n]) {
			w.tell()
		}
	}
}

func (w *netWatcher) tell() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

// changed says whether a datagram holds a change that matters.
func (w *netWatcher) changed(b []byte) bool {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return true // not understood: ask the peer rather than not
	}
	changed := false
	for _, msg := range msgs {
		switch msg.Header.Type {
		case unix.RTM_NEWLINK:
			changed = w.linkChanged(msg.Data) || changed
		case unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			changed = true
		}
	}
	return changed
}

// linkChanged says whether a link went up or down, got or lost its carrier.
// The rest of what is said of links, with each scan of a Wi-Fi card, is noise.
func (w *netWatcher) linkChanged(data []byte) bool {
	if len(data) < unix.SizeofIfInfomsg {
		return true
	}
	info := *(*unix.IfInfomsg)(unsafe.Pointer(&data[0]))
	state := info.Flags & (unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP)
	before, known := w.links[info.Index]
	w.links[info.Index] = state
	return !known || before != state
}
