package mux

// version is that of the protocol (PROTOCOL.mux, section 1).
const version = 4
