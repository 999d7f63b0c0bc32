package p2p

import (
	"slices"
	"time"

	libp2p "github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/x/rate"
)

// What a host holds at most. The gate's numbers are ours and are reached first;
// libp2p's resource manager stands behind them.
const (
	streamsPerPeer = 64  // of one protocol, opened by one peer
	streamsInAll   = 512 // of one protocol, opened by all peers
	hellosPerPeer  = 4
	hellosInAll    = 128
	connsLow       = 400 // the connection manager closes idle ones down to this
	connsHigh      = 600
	connsMax       = 1024
	connsPerIP     = 64  // several nodes behind one address; loopback is exempt
	protectedPeers = 256 // storage nodes whose connections are never closed for room
	memoryBudget   = 1 << 30
	fdBudget       = 4096
)

// newResourceManager returns libp2p's resource manager with room for bulk. Its
// defaults allow some 75 streams between two peers and 8 connections from one
// address, which breaks transfers and several nodes behind one router.
func newResourceManager() (network.ResourceManager, error) {
	l := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&l)
	l.SystemBaseLimit = rcmgr.BaseLimit{
		Conns: connsMax, ConnsInbound: connsMax, ConnsOutbound: connsMax,
		Streams: 1 << 15, StreamsInbound: 1 << 14, StreamsOutbound: 1 << 14,
		Memory: memoryBudget, FD: fdBudget,
	}
	l.SystemLimitIncrease = rcmgr.BaseLimitIncrease{}
	bulk := rcmgr.BaseLimit{Streams: 1 << 13, StreamsInbound: 1 << 12, StreamsOutbound: 1 << 12, Memory: memoryBudget}
	l.ProtocolBaseLimit, l.ProtocolLimitIncrease = bulk, rcmgr.BaseLimitIncrease{}
	one := rcmgr.BaseLimit{Streams: 512, StreamsInbound: 256, StreamsOutbound: 256, Memory: memoryBudget / 4}
	l.ProtocolPeerBaseLimit, l.ProtocolPeerLimitIncrease = one, rcmgr.BaseLimitIncrease{}
	l.PeerBaseLimit.Streams, l.PeerBaseLimit.StreamsInbound, l.PeerBaseLimit.StreamsOutbound = 2048, 1024, 1024
	l.PeerBaseLimit.Memory = memoryBudget / 2
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(l.Scale(memoryBudget, fdBudget)),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}}),
		rcmgr.WithConnRateLimiters(connRate()),
		rcmgr.WithMetricsDisabled())
}

// connRate allows one address 5 new connections each second, and a burst of 64.
func connRate() *rate.Limiter {
	limit := rate.Limit{RPS: 5, Burst: connsPerIP}
	var loopback []rate.PrefixLimit
	for _, n := range slices.Concat(rcmgr.DefaultNetworkPrefixLimitV4, rcmgr.DefaultNetworkPrefixLimitV6) {
		loopback = append(loopback, rate.PrefixLimit{Prefix: n.Network})
	}
	return &rate.Limiter{
		NetworkPrefixLimits: loopback,
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: limit}},
			GracePeriod:      time.Minute,
		},
	}
}

func newConnManager() (*connmgr.BasicConnMgr, error) {
	return connmgr.NewConnManager(connsLow, connsHigh, connmgr.WithGracePeriod(time.Minute))
}
