package sshconfig

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// canonicalize takes HostName into use and completes the name, as
// CanonicalizeHostname and its kin ask for.
func (l *loader) canonicalize() error {
	l.fillCanonical()
	if v := l.st.get(kwHostName); v.set {
		name, err := l.mustExpand(v.text, Tokens{'h': l.host}, false)
		if err != nil {
			return err
		}
		l.host, v.text = name, name
	}
	wasAddress := l.isAddress(l.host)
	if !wasAddress {
		l.host = lowerASCII(l.host)
	}
	found := false
	var err error
	if wasAddress || l.canonicalMode() != CanonicalizeNo {
		if found, err = l.completeName(); err != nil {
			return err
		}
	}
	if found || !l.hasPermittedCNAMEs() || !l.mayResolve() {
		return nil
	}
	return l.followBareName()
}

// fillCanonical sets the defaults that are needed now.
func (l *loader) fillCanonical() {
	for _, id := range [...]keyword{kwCanonicalizeMaxDots, kwCanonicalizeFallbackLocal, kwCanonicalizeHostname} {
		l.fillDefault(int(l.st.index[id]))
	}
}

// fill gives a keyword its default unless it has been set.
func fill(v *value, d value) {
	if v.set {
		return
	}
	d.set, d.at = true, v.at
	*v = d
}

func (l *loader) canonicalMode() CanonicalizeHostname {
	return CanonicalizeHostname(l.st.get(kwCanonicalizeHostname).text)
}

// direct reports whether we, and not a proxy, look the name up.
func (l *loader) direct() bool {
	return l.st.get(kwProxyCommand).isNone() && !l.st.jump.set
}

// mayResolve reports whether the name may be looked up here at all.
func (l *loader) mayResolve() bool { return l.direct() || l.canonicalMode() == CanonicalizeAlways }

func (l *loader) hasPermittedCNAMEs() bool {
	c := l.st.cnames
	return len(c) > 0 && !(len(c) == 1 && equalFoldASCII(c[0].Source, "none") && c[0].Target == "")
}

// completeName canonicalises an address, or tries the CanonicalDomains.
func (l *loader) completeName() (found bool, err error) {
	if addr, ok := l.parseAddress(l.host); ok {
		l.debug(levelDebug2, "resolve_canonicalize: hostname %.100s is address", l.host)
		if !equalFoldASCII(l.host, addr) {
			l.debug(levelDebug2, "resolve_canonicalize: canonicalised address \"%s\" => \"%s\"", l.host, addr)
			l.host = addr
		}
		return true, nil
	}
	if looksLikeAddress(l.host) {
		l.debug(levelDebug1, "resolve_canonicalize: hostname %.100s is an unrecognised address", l.host)
		return false, nil
	}
	if l.canonicalMode() == CanonicalizeNo || !l.mayResolve() {
		return false, nil
	}
	if strings.HasSuffix(l.host, ".") {
		l.debug(levelDebug3, "resolve_canonicalize: name is fully qualified")
		if ok, err := l.tryName(l.host); ok || err != nil {
			return ok, err
		}
		return false, l.notFound()
	}
	maxDots := int(l.st.get(kwCanonicalizeMaxDots).n)
	if strings.Count(l.host, ".") > maxDots {
		l.debug(levelDebug3, "resolve_canonicalize: not canonicalizing hostname \"%s\" (max dots %d)", l.host, maxDots)
		return false, nil
	}
	for _, domain := range l.st.get(kwCanonicalDomains).list {
		if equalFoldASCII(domain, "none") {
			break
		}
		full := l.host + "." + domain + "."
		l.debug(levelDebug3, "resolve_canonicalize: attempting \"%s\" => \"%s\"", l.host, full)
		if ok, err := l.tryName(full); ok || err != nil {
			return ok, err
		}
	}
	return false, l.notFound()
}

// tryName looks up a name that ends in a dot, and takes it over if it exists.
func (l *loader) tryName(full string) (bool, error) {
	cname, err := l.resolve1(full, false)
	if err != nil {
		return false, err
	}
	if cname == nil {
		return false, nil
	}
	name := strings.TrimSuffix(full, ".")
	if target, ok := l.permittedCNAME(name, *cname); ok {
		name = target
	} else {
		l.debug(levelDebug1, "Canonicalized hostname \"%s\" => \"%s\"", l.host, name)
	}
	l.host = name
	return true, nil
}

func (l *loader) notFound() error {
	if !l.st.get(kwCanonicalizeFallbackLocal).is("yes") {
		return l.fatal("", 0, "ssh: Could not resolve host \"%s\"", l.host)
	}
	l.debug(levelDebug2, "resolve_canonicalize: host %s not found in any suffix", l.host)
	return nil
}

// permittedCNAME reports whether a name may become its CNAME.
func (l *loader) permittedCNAME(name, cname string) (string, bool) {
	if cname == "" || !l.hasPermittedCNAMEs() || name == cname ||
		l.canonicalMode() == CanonicalizeNo || !l.mayResolve() {
		return "", false
	}
	l.debug(levelDebug3, "check_follow_cname: check \"%s\" CNAME \"%s\"", name, cname)
	for _, rule := range l.st.cnames {
		if matchList(name, rule.Source, true) == matched && matchList(cname, rule.Target, true) == matched {
			l.say(origin{}, LogVerbose, "Canonicalized DNS aliased hostname \"%s\" => \"%s\"", name, cname)
			return cname, true
		}
	}
	return "", false
}

// followBareName looks up the name by the system's own rules, only to see
// whether it is a CNAME that may be followed.
func (l *loader) followBareName() error {
	cname, err := l.resolve1(l.host, l.direct())
	if err != nil {
		return err
	}
	if cname == nil {
		if l.direct() {
			return errFatal // resolve1 has said why
		}
		return nil // the proxy may know the name
	}
	if target, ok := l.permittedCNAME(l.host, *cname); ok {
		l.host = target
	}
	return nil
}

// resolve1 looks a name up and returns the name at the end of its CNAMEs, or
// nil if it does not exist. An error is only the end of ctx.
func (l *loader) resolve1(name string, complain bool) (cname *string, err error) {
	port := int64(defaultPort)
	if v := l.st.get(kwPort); v.set {
		port = v.n
	}
	l.debug(levelDebug3, "resolve_host: lookup %s:%d", name, port)
	network := "ip"
	switch l.st.get(kwAddressFamily).text {
	case "inet":
		network = "ip4"
	case "inet6":
		network = "ip6"
	}
	addrs, err := l.opts.Resolver.LookupNetIP(l.ctx, network, name)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Name: name, IsNotFound: true}
	}
	if err != nil {
		if l.ctx.Err() != nil {
			return nil, context.Cause(l.ctx)
		}
		l.unresolved(name, err, complain)
		return nil, nil
	}
	canonical, err := l.opts.Resolver.LookupCNAME(l.ctx, name)
	if err != nil {
		canonical = name
	}
	valid, problem := validDomainCase(canonical)
	if problem != "" {
		l.say(origin{}, LogError, "ignoring bad CNAME \"%s\" for host \"%s\": %s", canonical, name, problem)
	}
	return &valid, nil
}

// unresolved reports a name that was not found, loudly if that is unusual.
func (l *loader) unresolved(name string, err error, complain bool) {
	var dns *net.DNSError
	var family *net.AddrError // what Go says if there are addresses of the other family only
	text, missing := err.Error(), false
	if _, ok := parseIPv4(name); ok || strings.Contains(name, ":") {
		text = "Address family for hostname not supported"
	} else if errors.As(err, &family) {
		text, missing = "Name or service not known", true
	} else if errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			text, missing = "Name or service not known", true
		case dns.IsTemporary || dns.IsTimeout:
			text = "Temporary failure in name resolution"
		default:
			text = dns.Err
		}
	}
	l.failed = l.failed || complain
	if complain || !missing {
		l.say(origin{}, LogError, "ssh: Could not resolve hostname %.100s: %s", name, text)
		return
	}
	l.debug(levelDebug1, "ssh: Could not resolve hostname %.100s: %s", name, text)
}

// looksLikeAddress reports whether a name can only be an address.
func looksLikeAddress(s string) bool {
	return strings.ContainsAny(s, "%:") || strings.Trim(s, "0123456789.") == ""
}

func (l *loader) isAddress(s string) bool {
	if looksLikeAddress(s) {
		return true
	}
	_, ok := l.parseAddress(s)
	return ok
}

// parseAddress reads an address of the family that is wanted, in any form that
// getaddrinfo(3) takes, and returns it as it is usually written.
func (l *loader) parseAddress(s string) (string, bool) {
	family := l.st.get(kwAddressFamily).text
	if addr, ok := parseIPv4(s); ok {
		return addr.String(), family != "inet6"
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || family == "inet" && !addr.Is4In6() {
		return "", false
	}
	if family == "inet" {
		addr = addr.Unmap()
	}
	if zone := addr.Zone(); zone != "" {
		if !addr.IsLinkLocalUnicast() && !addr.IsLinkLocalMulticast() {
			return "", false
		}
		if _, err := net.InterfaceByName(zone); err != nil {
			return "", false
		}
	}
	return addr.String(), true
}

// parseIPv4 reads one to four numbers with dots between, in C's notation; the
// last one fills what is left of the 32 bits, as for inet_aton(3).
func parseIPv4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum int64
	for i, part := range parts {
		n, rest, ok := strtol(part, 0)
		limit := int64(255)
		if i == len(parts)-1 {
			limit = 1<<(8*(5-len(parts))) - 1
		}
		if !ok || rest != "" || digit(part[0]) > 9 || n > limit {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			sum = sum<<(8*(5-len(parts))) | n
		} else {
			sum = sum<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}
