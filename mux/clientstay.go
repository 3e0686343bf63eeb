package mux

import (
	"context"
	"errors"
	"os"
	"time"
)

// Stay blocks until the master exits. It is for clients whose forwardings the
// master holds (ssh -N). Its error wraps ErrMasterGone, ErrTimeout if the master
// no longer answers, or is the cause of ctx. The Client cannot be used afterwards.
func (c *Client) Stay(ctx context.Context) error {
	for {
		if err := c.awaitClose(ctx); err != nil {
			return explain(ctx, ctx, err)
		}
		limited, cancel := context.WithTimeout(ctx, helloTimeout)
		_, err := c.Alive(limited)
		cancel()
		if err != nil {
			return err
		}
	}
}

// awaitClose waits for the end of the connection, with a limit, since a master
// closes the connections of silent clients.
func (c *Client) awaitClose(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken != nil {
		return c.taken
	}
	c.c.SetDeadline(time.Now().Add(stayInterval))
	release := c.interruptible(ctx)
	n, err := c.c.Read(make([]byte, 1))
	release()
	switch {
	case n > 0:
		return &ProtocolError{"a message that nobody asked for"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}
