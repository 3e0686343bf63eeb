package sshconfig

import "strings"

// wordSet names one of the tables of words that a keyword may take.
type wordSet uint8

const (
	wordsFlag wordSet = iota
	wordsAddressFamily
	wordsAgentAdd
	wordsCanonicalize
	wordsCompression
	wordsControlMaster
	wordsMuxAgent
	wordsPubkey
	wordsReconnect
	wordsRequestTTY
	wordsSessionType
	wordsStrict
	wordsTransport
	wordsTunnel
	wordsWarnWeak
	wordsYesNoAsk
	numWordSets
)

// word is what may be written and the constant it stands for. The order
// matters: -G prints the first word of a constant, which is why it says "true"
// for some keywords where the manual says "yes".
type word struct{ text, value string }

// wordTable is read only.
var wordTable = [numWordSets][]word{
	wordsFlag:          {{"yes", "yes"}, {"no", "no"}, {"true", "yes"}, {"false", "no"}},
	wordsAddressFamily: {{"inet", "inet"}, {"inet6", "inet6"}, {"any", "any"}},
	wordsAgentAdd:      {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}, {"confirm", "confirm"}},
	wordsCanonicalize:  {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"always", "always"}},
	wordsCompression:   {{"yes", "yes"}, {"no", "no"}},
	wordsControlMaster: {{"true", "yes"}, {"yes", "yes"}, {"false", "no"}, {"no", "no"}, {"auto", "auto"}, {"ask", "ask"}, {"autoask", "autoask"}},
	wordsMuxAgent:      {{"master", "master"}, {"client", "client"}},
	wordsPubkey:        {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"unbound", "unbound"}, {"host-bound", "host-bound"}},
	wordsReconnect:     {{"no", "no"}, {"yes", "yes"}, {"always", "always"}, {"true", "yes"}, {"false", "no"}},
	wordsRequestTTY:    {{"true", "yes"}, {"yes", "yes"}, {"false", "no"}, {"no", "no"}, {"force", "force"}, {"auto", "auto"}},
	wordsSessionType:   {{"none", "none"}, {"subsystem", "subsystem"}, {"default", "default"}},
	wordsStrict:        {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}, {"off", "no"}, {"accept-new", "accept-new"}},
	wordsTransport:     {{"x/crypto", "x/crypto"}, {"gossh", "gossh"}},
	wordsTunnel: {{"ethernet", "ethernet"}, {"point-to-point", "point-to-point"}, {"true", "point-to-point"},
		{"yes", "point-to-point"}, {"false", "no"}, {"no", "no"}},
	wordsWarnWeak: {{"yes", "yes"}, {"no", "no"}, {"true", "yes"}, {"false", "no"}, {"no-pq-kex", "no"}},
	wordsYesNoAsk: {{"true", "yes"}, {"false", "no"}, {"yes", "yes"}, {"no", "no"}, {"ask", "ask"}},
}

// lookup returns the constant that text stands for, in any case.
func (w wordSet) lookup(text string) (value string, ok bool) {
	for _, e := range wordTable[w] {
		if strings.EqualFold(e.text, text) {
			return e.value, true
		}
	}
	return "", false
}

// printed returns the word that -G prints for a constant.
func (w wordSet) printed(value string) string {
	for _, e := range wordTable[w] {
		if e.value == value {
			return e.text
		}
	}
	return "UNKNOWN"
}
