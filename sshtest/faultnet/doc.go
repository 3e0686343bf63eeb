// Package faultnet makes bad networks for tests: links that are slow, that
// stall, swallow, corrupt and break.
//
// The main path: [Wrap] puts faults between a program and the net.Conn that
// it was given, [NewProxy] puts them between two programs that speak TCP, and
// the [Link] of either changes the faults while the test runs. [Pipe] is a
// buffered connection in memory with deadlines and half closes; together with
// Wrap it works inside a testing/synctest bubble, where latency and stalls
// cost no real time.
package faultnet
