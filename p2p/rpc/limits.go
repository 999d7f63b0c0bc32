package rpc

import (
	"cmp"
	"time"
)

// MaxFrame is the longest frame of either direction. What is longer travels as raw
// bytes behind a frame.
const MaxFrame = 64 << 10

// Limits bounds what a peer can cost, and counts what it is refused. A zero field means its default.
//
// Every deadline asks for progress, none bounds a whole transfer: each Stride bytes
// get Progress to move. So a silent peer is found after Progress at most, and a
// dripping one that is slower than Stride/Progress as well.
type Limits struct {
	Stride   int           // 256 KiB
	Progress time.Duration // 1 min
	Answer   time.Duration // 1 min: from the end of a request to the whole frame of its answer
	Idle     time.Duration // 2 min: for a request's whole frame, counted from the end of the one before
	Linger   time.Duration // 5 s: how long a server that has refused a request waits for the client to see that
	Drain    int64         // 16 MiB: how much it reads and forgets meanwhile

	// Of one server, over all its streams. What is above gets ErrBusy.
	PeerRequests int   // 32 requests at once of one peer
	Requests     int   // 512 of all
	PeerBytes    int64 // 96 MiB of buffers for one peer
	Bytes        int64 // 256 MiB for all

	// Of one pool of a client.
	Streams int           // 16 requests at once; others wait
	Spare   int           // 4 idle streams are kept
	Keep    time.Duration // 1 min: for so long; below the server's Idle

	// Refused, if it is not nil, is told the number of every refusal that a server
	// sends. It must not block.
	Refused func(number uint64)

	// Answered, if it is not nil, is told of every request that a server has answered:
	// its verb (see Named), the refusal's number or 0, and how long it took from the
	// end of its frame to the end of the answer. It must not block.
	Answered func(verb string, number uint64, took time.Duration)
}

func (l Limits) withDefaults() Limits {
	l.Stride = cmp.Or(l.Stride, 256<<10)
	l.Progress = cmp.Or(l.Progress, time.Minute)
	l.Answer = cmp.Or(l.Answer, time.Minute)
	l.Idle = cmp.Or(l.Idle, 2*time.Minute)
	l.Linger = cmp.Or(l.Linger, 5*time.Second)
	l.Drain = cmp.Or(l.Drain, 16<<20)
	l.PeerRequests = cmp.Or(l.PeerRequests, 32)
	l.Requests = cmp.Or(l.Requests, 512)
	l.PeerBytes = cmp.Or(l.PeerBytes, 96<<20)
	l.Bytes = cmp.Or(l.Bytes, 256<<20)
	l.Streams = cmp.Or(l.Streams, 16)
	l.Spare = cmp.Or(l.Spare, 4)
	l.Keep = cmp.Or(l.Keep, time.Minute)
	return l
}
