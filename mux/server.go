package mux

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gossh-project/gossh/forward"
)

// Server is a master. Its methods may be called by several goroutines.
type Server struct {
	conn   Connection
	opts   ServerOptions
	log    *slog.Logger
	socket *controlSocket
	path   string

	stopOnce sync.Once

	ctx    context.Context // ends the server; its cause is Err
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // the goroutines of clients, and ours but await
	done   chan struct{}
	resize chan struct{} // holds one: terminals are to be asked

	forwarding chan struct{} // held while forwardings are compared and changed
	asked      map[*forward.Forward]forward.Spec

	mu        sync.Mutex
	clients   map[*serverConn]struct{}
	sessions  map[*ServerSession]struct{}
	holds     int
	idle      *time.Timer // runs while nobody is there
	draining  error       // why no client is taken any more
	release   func()      // gives the socket's channel number back
	accepting bool        // the accept loop is running
}

// Listen creates the control socket at path, with mode 0600, and serves conn on
// it. It does not follow or replace anything at path, unless
// [ServerOptions.ReplaceStale] allows it: its error then wraps ErrExists. It
// returns a *PathError if path is too long.
//
// The end of ctx ends the server, as Close does.
func Listen(ctx context.Context, path string, conn Connection, opts ServerOptions) (*Server, error) {
	socket, err := listenSocket(ctx, path, opts.ReplaceStale)
	if err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.StepTimeout = cmp.Or(opts.StepTimeout, stepTimeout)
	opts.SilenceTimeout = cmp.Or(opts.SilenceTimeout, silenceTimeout)
	s := &Server{
		conn: conn, opts: opts, log: opts.Logger, socket: socket, path: path,
		done:       make(chan struct{}),
		resize:     make(chan struct{}, 1),
		forwarding: make(chan struct{}, 1),
		asked:      make(map[*forward.Forward]forward.Spec),
		clients:    make(map[*serverConn]struct{}),
		sessions:   make(map[*ServerSession]struct{}),
		accepting:  true,
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	number, release := conn.Forwards().Number()
	s.release = s.channel(Channel{number, "mux listener", path}, release)
	s.work.Add(2)
	go s.accept()
	go s.resizeAll()
	go s.await()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed()
	return s, nil
}

// Path returns the path of the socket.
func (s *Server) Path() string { return s.path }

// Done returns a channel that is closed when the server no longer listens and has
// no clients.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns, after Done, why the server has ended: ErrTerminated, ErrStopped,
// ErrIdle, ErrClosed, the cause of the context of Listen, or the error of the
// connection. Before Done it returns nil.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return context.Cause(s.ctx)
	default:
		return nil
	}
}

// Close removes the socket, ends all sessions, and waits until they have ended.
func (s *Server) Close() error {
	s.end(ErrClosed)
	<-s.done
	return nil
}

// end ends the server. The first cause is kept. The loss of the connection comes
// first even if await has not noticed it yet, since it may be the reason for a
// call of Close.
func (s *Server) end(cause error) {
	select {
	case <-s.conn.Done():
		cause = s.lost()
	default:
	}
	s.cancel(cause)
	s.stopListening()
}

// lost returns the cause of the end of the connection.
func (s *Server) lost() error { return cmp.Or(s.conn.Err(), ErrClosed) }

// stopListening removes the path before it closes the socket, so that no client
// finds a socket that refuses connections and takes it for a stale one. It does so
// once, because the path may belong to another master later.
func (s *Server) stopListening() {
	s.stopOnce.Do(func() {
		s.socket.remove()
		s.socket.refuse()
		s.socket.SetDeadline(past()) // wakes accept
	})
}

// await ends when the server does, of itself or with the connection.
func (s *Server) await() {
	select {
	case <-s.ctx.Done():
	case <-s.conn.Done():
		s.cancel(s.lost())
	}
	s.stopListening()
	s.mu.Lock()
	if s.idle != nil {
		s.idle.Stop()
	}
	s.mu.Unlock()
	s.work.Wait()
	s.socket.Close()
	s.release()
	close(s.done)
}

// accept accepts clients. It ends when the socket is closed and the last queued
// client has been accepted.
func (s *Server) accept() {
	defer s.work.Done()
	draining, admitted := false, 0
	for {
		c, err := s.socket.AcceptUnix()
		switch {
		case err == nil:
			s.admit(c)
			admitted++
			continue
		case s.ctx.Err() != nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && (!draining || admitted > 0):
			// Nothing tells that the queue is empty but a wait in which
			// nobody comes out.
			draining, admitted = true, 0
			s.socket.SetDeadline(soon())
			continue
		case transient(err):
			s.log.Debug("mux: accept", "error", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-s.ctx.Done():
			}
		}
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepting = false
	s.changed()
}

// acceptPause is the wait for descriptors to be free again.
const acceptPause = 100 * time.Millisecond

// transient reports whether an error of Accept is temporary, such as the lack of
// descriptors.
func transient(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit serves a client, if it may connect.
func (s *Server) admit(c *net.UnixConn) {
	if err := checkPeer(c); err != nil {
		s.log.Warn("mux: client turned away", "error", err)
		c.Close()
		return
	}
	sc := newServerConn(s, c)
	sc.number, sc.release = s.conn.Forwards().Number()
	s.mu.Lock()
	s.clients[sc] = struct{}{}
	s.changed()
	s.mu.Unlock()
	s.work.Add(1)
	go sc.serve()
}

// channel reports a channel, and returns the function that frees its number.
func (s *Server) channel(c Channel, release func() int) (free func()) {
	freed := func(int) {}
	if s.opts.ChannelOpened != nil {
		freed = s.opts.ChannelOpened(c)
	}
	return func() { freed(release()) }
}

// leave is called when a client has left.
func (s *Server) leave(c *serverConn) {
	s.mu.Lock()
	delete(s.clients, c)
	alone := len(s.clients) == 0
	s.changed()
	s.mu.Unlock()
	if alone && s.opts.ClientsLeft != nil {
		s.opts.ClientsLeft()
	}
}

// Hold keeps the server from being idle until release is called. A master holds
// its server for each session of its own.
func (s *Server) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
	s.changed()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.holds--
		s.changed()
	})
}

// Stop removes the socket. The server serves the present clients, and those that
// have already connected, until they leave. Then it ends with ErrStopped.
func (s *Server) Stop() { s.drain(ErrStopped) }

func (s *Server) drain(why error) {
	s.mu.Lock()
	if s.draining == nil {
		s.draining = why
	}
	s.mu.Unlock()
	s.stopListening()
}

// changed is called, with mu held, when clients have connected or left. It ends a
// draining server without clients, and starts or stops the idle timer.
func (s *Server) changed() {
	if len(s.clients) > 0 || s.holds > 0 {
		if s.idle != nil {
			s.idle.Stop()
			s.idle = nil
		}
		return
	}
	switch {
	case s.draining != nil:
		if !s.accepting {
			s.cancel(s.draining)
		}
	case s.opts.IdleTimeout > 0 && s.idle == nil && s.ctx.Err() == nil:
		s.idle = time.AfterFunc(s.opts.IdleTimeout, s.expire)
	}
}

// expire is called by the idle timer. New clients find no socket then, and clients
// that have connected are served.
func (s *Server) expire() {
	s.mu.Lock()
	if s.idle == nil { // somebody came in the last moment
		s.mu.Unlock()
		return
	}
	s.idle = nil
	if s.forwardsBusy() {
		s.changed() // another round
		s.mu.Unlock()
		return
	}
	s.draining = ErrIdle
	s.mu.Unlock()
	s.stopListening()
}

// current returns the connection that serves a request.
func (s *Server) current(ctx context.Context) (Connection, error) {
	if r, ok := s.conn.(ReconnectingConn); ok {
		return r.Current(ctx)
	}
	return s.conn, nil
}

// forwardsBusy reports whether a forwarded connection is open.
func (s *Server) forwardsBusy() bool {
	for _, f := range s.conn.Forwards().Forwards() {
		if len(f.Snapshot().Conns) > 0 {
			return true
		}
	}
	return false
}

// Resize reads the sizes of the terminals of all sessions, and sends those that
// have changed. It must be called at SIGWINCH, which clients relay. It does not
// block.
func (s *Server) Resize() {
	select {
	case s.resize <- struct{}{}:
	default: // they are about to be asked anyway
	}
}

// resizeAll does the work of Resize in a goroutine, since sending may block. It
// ends with the server.
func (s *Server) resizeAll() {
	defer s.work.Done()
	for {
		select {
		case <-s.resize:
			for _, session := range s.Sessions() {
				session.resize()
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// Sessions returns the sessions of passengers, in the order of their IDs.
func (s *Server) Sessions() []*ServerSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*ServerSession
	for session := range s.sessions {
		all = append(all, session)
	}
	slices.SortFunc(all, func(a, b *ServerSession) int { return cmp.Compare(a.id, b.id) })
	return all
}

// controls returns the clients, in the order of their numbers.
func (s *Server) controls() []*serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.clients), func(a, b *serverConn) int { return cmp.Compare(a.number, b.number) })
}

// enter lists a session that has begun.
func (s *Server) enter(session *ServerSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[session] = struct{}{}
}

func (s *Server) remove(session *ServerSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
}
