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

// WatchNetwork returns a channel that receives a value when links, addresses or routes
// of this machine change. Changes before the value is received are combined. One
// watcher is enough for a process: call Hint of each Monitor. The channel is closed
// when ctx ends. On systems other than Linux, WatchNetwork returns a nil channel and
// errors.ErrUnsupported.
func WatchNetwork(ctx context.Context) (<-chan struct{}, error) {
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE |
		unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE
	// Non-blocking, so that the runtime polls it and Close unblocks Read.
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

// A netWatcher reads the kernel's messages about links, addresses and routes
// (rtnetlink(7)).
type netWatcher struct {
	file    *os.File
	changes chan struct{}
	links   map[int32]uint32 // the state of each link, by index
}

// run reads messages until the socket is closed, which is when the context ends.
func (w *netWatcher) run(stop func() bool) {
	defer close(w.changes)
	defer w.file.Close()
	defer stop()
	buf := make([]byte, 32<<10)
	for {
		n, err := w.file.Read(buf)
		if errors.Is(err, unix.ENOBUFS) {
			// Messages were dropped, so there were changes.
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

// changed reports whether a datagram contains a relevant change.
func (w *netWatcher) changed(b []byte) bool {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return true // unknown message: one request too many is harmless
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

// linkChanged reports whether a link went up or down, or got or lost its carrier. Other
// messages about links, such as those of Wi-Fi scans, are irrelevant.
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
