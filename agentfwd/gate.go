package agentfwd

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gossh-project/gossh/internal/wire"
)

// A gate decides, for one agent connection, what of a remote host's requests
// reaches the agent. Only the link's agentSide uses it.
type gate struct {
	f     *Forwarder
	agent *Conn
	bound bool // our session-bind came first

	listed map[string]Identity // what the agent listed last, by blob
	hops   []Binding           // servers that the remote host named, verified
}

// maxHops is ssh-agent's own limit of bindings for one connection.
const maxHops = 16

// Why a policy refuses.
var (
	errNotAllowed = errors.New("not allowed by policy")
	errHiddenKey  = errors.New("key not visible to this host")
)

// failureReply is SSH_AGENT_FAILURE.
func failureReply() []byte { return []byte{msgFailure} }

// handle returns the reply to one request. An error means that there is none:
// the agent is lost or the link has ended.
func (g *gate) handle(ctx context.Context, msg []byte) ([]byte, error) {
	if name, err := extensionName(msg); err == nil && name == extSessionBind {
		return g.sessionBind(ctx, msg)
	}
	policy := g.f.cfg.Policy
	if policy == nil {
		return g.pass(ctx, msg)
	}
	all := policy.AllowAll
	switch msg[0] {
	case msgRequestIdentities:
		if policy.allowsAll() {
			return g.pass(ctx, msg)
		}
		return g.list(ctx)
	case msgSignRequest:
		return g.sign(ctx, msg)
	case msgAddIdentity, msgAddConstrained:
		return g.other(ctx, "add", "", all || policy.AllowAdd, msg)
	case msgRemoveIdentity:
		return g.remove(ctx, msg)
	case msgRemoveAll:
		return g.other(ctx, "remove-all", "", (all || policy.AllowRemove) && policy.Keys == nil, msg)
	case msgLock:
		return g.other(ctx, "lock", "", all || policy.AllowLock, msg)
	case msgUnlock:
		return g.other(ctx, "unlock", "", all || policy.AllowLock, msg)
	case msgAddSmartcard, msgRemoveSmartcard, msgAddSmartcardConstr:
		return g.other(ctx, "smartcard", "", all, msg)
	case msgExtension:
		name, err := extensionName(msg)
		allowed := all || err == nil && slices.Contains(policy.AllowExtensions, name)
		return g.other(ctx, "extension", name, allowed, msg)
	}
	return g.other(ctx, "unknown", "", all, msg)
}

// pass sends a request on as it is.
func (g *gate) pass(ctx context.Context, msg []byte) ([]byte, error) {
	timeout := g.agent.personTimeout()
	if msg[0] == msgSignRequest {
		timeout = g.agent.opts.SignTimeout
	}
	return g.agent.request(ctx, "forward", timeout, msg)
}

// sessionBind passes the binding of a further hop on, if ours came before it:
// the first on a connection would make the agent take the remote host's login
// for one from this machine.
func (g *gate) sessionBind(ctx context.Context, msg []byte) ([]byte, error) {
	if !g.bound {
		return failureReply(), nil
	}
	if b, err := parseSessionBind(msg); err == nil && len(g.hops) < maxHops {
		hop := Binding{HostKey: newIdentity(b.HostKey, "").Key, SessionID: b.SessionID, Signature: b.Signature}
		if hop.Verify() == nil {
			g.hops = append(g.hops, hop)
		}
	}
	return g.pass(ctx, msg)
}

// list returns the agent's list, less what the policy hides.
func (g *gate) list(ctx context.Context) ([]byte, error) {
	ids, err := g.refresh(ctx)
	if errors.Is(err, ErrRefused) {
		return failureReply(), nil
	}
	if err != nil {
		return nil, err
	}
	if keys := g.f.cfg.Policy.Keys; keys != nil {
		ids = slices.DeleteFunc(ids, func(id Identity) bool { return !keys.Contains(id) })
	}
	return marshalIdentities(ids), nil
}

// refresh asks the agent for its list, and keeps it.
func (g *gate) refresh(ctx context.Context) ([]Identity, error) {
	ids, err := g.agent.Identities(ctx)
	if err != nil {
		return nil, err
	}
	g.listed = make(map[string]Identity, len(ids))
	for _, id := range ids {
		g.listed[string(id.Blob)] = id
	}
	return ids, nil
}

// identity looks a key up in the agent's list, for its comment. A key that is
// not in it is returned without one, and found is false.
func (g *gate) identity(ctx context.Context, blob []byte) (id Identity, found bool, err error) {
	if id, found = g.listed[string(blob)]; found {
		return id, true, nil
	}
	if _, err := g.refresh(ctx); err != nil && !errors.Is(err, ErrRefused) {
		return Identity{}, false, err
	}
	if id, found = g.listed[string(blob)]; found {
		return id, true, nil
	}
	return newIdentity(blob, ""), false, nil
}

// sign decides on one signature.
func (g *gate) sign(ctx context.Context, msg []byte) ([]byte, error) {
	use := g.use("sign")
	policy := g.f.cfg.Policy
	req, err := parseSignRequest(msg)
	if err != nil {
		if policy.allowsAll() {
			return g.carryOut(ctx, use, msg, msgSignResponse)
		}
		return g.refuse(use, OutcomeDenied, err)
	}
	id, found, err := g.identity(ctx, req.KeyBlob)
	if err != nil {
		return nil, err
	}
	use.Key, use.Data = id, g.signedData(req)
	if policy.Keys != nil && (!found || !policy.Keys.Contains(id)) {
		return g.refuse(use, OutcomeDenied, errHiddenKey)
	}
	if policy.Confirm != nil {
		agreed, err := g.ask(ctx, use)
		if ctx.Err() != nil {
			g.report(use, OutcomeDeclined, context.Cause(ctx))
			return nil, context.Cause(ctx)
		}
		if err != nil || !agreed {
			return g.refuse(use, OutcomeDeclined, err)
		}
	}
	// Written anew, so that the agent reads what was looked at here.
	return g.carryOut(ctx, use, req.marshal(), msgSignResponse)
}

// signedData takes the data apart, and fills in the server if only a
// session-bind names it.
func (g *gate) signedData(req signRequest) SignedData {
	d := ParseSignedData(req.Data, req.KeyBlob)
	if d.Purpose != PurposeUserAuth || d.HostKey != nil {
		return d
	}
	for _, hop := range g.hops {
		if string(hop.SessionID) == string(d.SessionID) {
			d.HostKey = hop.HostKey
		}
	}
	return d
}

// ask puts the question, when no other one is being asked.
func (g *gate) ask(ctx context.Context, use Use) (bool, error) {
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case g.f.asking <- struct{}{}:
	}
	defer func() { <-g.f.asking }()
	return g.f.cfg.Policy.Confirm(ctx, use)
}

// remove decides on the removal of one key, which must be a visible one.
func (g *gate) remove(ctx context.Context, msg []byte) ([]byte, error) {
	policy := g.f.cfg.Policy
	f := wire.NewReader(msg[1:])
	blob := f.Bytes()
	if policy.allowsAll() {
		return g.other(ctx, "remove", "", true, msg)
	}
	allowed := (policy.AllowAll || policy.AllowRemove) && f.End() == nil
	if allowed && policy.Keys != nil {
		id, found, err := g.identity(ctx, blob)
		if err != nil {
			return nil, err
		}
		allowed = found && policy.Keys.Contains(id)
	}
	return g.other(ctx, "remove", "", allowed, msg)
}

// other carries a request out that is neither a list nor a signature, if it is
// allowed.
func (g *gate) other(ctx context.Context, op, detail string, allowed bool, msg []byte) ([]byte, error) {
	use := g.use(op)
	use.Detail = detail
	if !allowed {
		return g.refuse(use, OutcomeDenied, errNotAllowed)
	}
	return g.carryOut(ctx, use, msg, msgSuccess)
}

// carryOut has the agent do what was asked. Extensions answer with what they
// like, so that there anything but a failure is success.
func (g *gate) carryOut(ctx context.Context, use Use, msg []byte, success byte) ([]byte, error) {
	reply, err := g.pass(ctx, msg)
	switch {
	case err != nil:
		g.report(use, OutcomeFailed, err)
		return nil, err
	case reply[0] == success, use.Op == "extension" && reply[0] != msgFailure && reply[0] != msgExtensionFailure:
		g.report(use, OutcomeDone, nil)
	default:
		g.report(use, OutcomeFailed, ErrRefused)
	}
	return reply, nil
}

// use begins the record of a request.
func (g *gate) use(op string) Use {
	return Use{Time: time.Now(), Host: g.f.cfg.Host, Op: op}
}

// refuse reports a request as refused and returns the reply that says so.
func (g *gate) refuse(use Use, outcome Outcome, err error) ([]byte, error) {
	g.report(use, outcome, err)
	return failureReply(), nil
}

// report tells the policy's log.
func (g *gate) report(use Use, outcome Outcome, err error) {
	use.Outcome, use.Err = outcome, err
	if log := g.f.cfg.Policy.Log; log != nil {
		log(use)
	}
}
