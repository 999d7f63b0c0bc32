package p2p

import "time"

// timing holds every duration that a host waits for. Tests shorten it.
type timing struct {
	dial      time.Duration // TCP, TLS and yamux with one address
	hello     time.Duration // a hello, on either side, once there is a connection
	reach     time.Duration // all of it: connection and hello with one node
	again     time.Duration // as reach, for a node that failed within recent
	recent    time.Duration
	fresh     time.Duration // how long an answer to a hello may be shown as now
	survey    time.Duration // finding all nodes
	table     time.Duration // for the routing table to get its first node
	lookup    time.Duration // one look-up in the DHT
	handler   time.Duration // first deadline of a stream that somebody opened
	retryMin  time.Duration // bootstrap nodes that do not answer, at first
	retryMax  time.Duration // and after many tries
	quiet     time.Duration // between publications that news have triggered, at first
	publish   time.Duration // publication without news
	sweep     time.Duration // looking for certificates that have expired
	recordAge time.Duration // how long others keep what is published
}

func defaultTiming() timing {
	return timing{
		dial:      3 * time.Second,
		hello:     3 * time.Second,
		reach:     4 * time.Second,
		again:     500 * time.Millisecond,
		recent:    30 * time.Second,
		fresh:     10 * time.Second,
		survey:    6 * time.Second,
		table:     3 * time.Second,
		lookup:    6 * time.Second,
		handler:   time.Minute,
		retryMin:  200 * time.Millisecond,
		retryMax:  time.Minute,
		quiet:     100 * time.Millisecond,
		publish:   6 * time.Hour,
		sweep:     time.Minute,
		recordAge: 24 * time.Hour,
	}
}
