package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/node/audit"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

type clock = func() time.Time

// Options are what the program around a node decides.
type Options struct {
	Now func() time.Time // time.Now if nil
	Log *slog.Logger     // silent if nil
}

// Node is one node, assembled from its folder.
type Node struct {
	dir     string
	config  Config
	keys    keyring
	orders  *orders
	stop    *stopping
	drainer *drainer
	alarms  alarms
	log     *slog.Logger
	now     clock
	started time.Time

	registry  *prometheus.Registry
	meters    *meters
	unlock    func() error
	admin     *admin
	volume    *volume
	host      *p2p.Host
	around    *neighbours
	clock     *clockWatch
	client    *ledgerrpc.Client
	certifier *certifier
	steward   *steward
	moved     *surrender
	releaser  *releaser
	released  *released
	puller    *puller
	revoked   *revocations
	holders   *shardrpc.Client // the shelves of others
	auditing  *auditing
	scrub     *scrub
	standing  *ownStanding
	spoiled   *spoiled
	announce  *announcer
	safety    *safety
	volumes   *volumeList
	throttle  *throttle
	sweeps    *bg.Loop
	repairs   *bg.Loop // of the book
	drains    *bg.Loop // of volumes

	examining sync.Mutex

	stopping atomic.Bool
	doubted  atomic.Bool // the log has been told that the clock is in doubt
}

// Open assembles the node whose folder is dir: it reads configuration and keys,
// opens the volume, and begins to listen. Run makes it work. A volume that is not
// there is no error: the node is then paused until it is. If Open fails it leaves
// nothing open.
func Open(ctx context.Context, dir string, o Options) (*Node, error) {
	n := &Node{dir: dir, now: o.Now, log: o.Log, registry: prometheus.NewRegistry()}
	if n.now == nil {
		n.now = time.Now
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.started = n.now()
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open node: %w", err), n.close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) (err error) {
	if n.config, err = readConfig(n.dir); err != nil {
		return err
	}
	if n.unlock, err = lockFolder(n.dir); err != nil {
		return err
	}
	if n.keys, err = readKeys(n.dir); err != nil {
		return err
	}
	if n.orders, err = newOrders(n.dir, n.config, n.keys, n.now, n.log); err != nil {
		return err
	}
	n.orders.tell = func(ctx context.Context) error {
		n.around.refresh()
		return n.host.Tell(ctx)
	}
	n.orders.renew = func(cert ident.Signed) error { return n.host.Renew(cert) }
	n.meters = newMeters(n.registry)
	n.volumes = newVolumeList(n.dir, n.config)
	n.throttle = newThrottle(n.config.Limits, n.now)
	if n.admin, err = listenAdmin(n.dir, n.config.Admin); err != nil {
		return err
	}
	n.safety = newSafety(n.now)
	n.around = newNeighbours(func(ctx context.Context) ([]p2p.Node, error) {
		nodes, err := n.host.Nodes(ctx)
		n.auditing.meet(ctx, n.host.Known()) // also who announced an absence and was gone before this look
		return nodes, err
	})
	if n.clock, err = newClockWatch(n.dir, n.now, n.around.seen); err != nil {
		return err
	}
	n.spoiled = (&spoiled{node: n.keys.cert.Node, lost: func() { n.repairs.Trigger() }}).start(bg.Log(n.log))
	if n.volume, err = newVolume(ctx, n.log, n.openParts); err != nil {
		return err
	}
	if n.host, err = p2p.New(ctx, p2p.Config{
		Key: n.keys.node, Listen: n.config.Listen, Announce: n.config.Announce, Network: n.config.Network, Bootstrap: n.config.Bootstrap,
		Certificate: n.keys.signed, Admit: n.orders.admit, State: n.orders.announced, News: n.around.refresh, Space: n.space, Now: n.now, Log: n.log, Registerer: n.registry,
	}); err != nil {
		return err
	}
	n.offer()
	return nil
}

// offer makes what works in the background, and registers what peers may ask for.
func (n *Node) offer() {
	net, at := rpc.Over[p2p.Stream](n.host), stamp{n.now, n.meters}
	n.client = ledgerrpc.NewClient(net, ledgerrpc.Limits{})
	n.announce = newAnnouncer(n.host, n.keys.node, n.memberships, n.now, n.log)
	l := &ledgers{
		volume: n.volume, accepted: n.announce.loop.Trigger, released: func(vault ident.CID) { n.released.hurry(vault) },
		operator: n.operatorOf, orders: n.orders, behind: func() { n.puller.hurry() }, stamp: at, log: n.log,
	}
	n.work(l, at)
	own := &shelf{
		keys: n.keys, volume: n.volume, orders: n.orders, stamp: at,
		throttle:  n.throttle,
		certifier: n.certifier,
		operator:  n.operatorOf,
	}
	n.holders = shardrpc.NewClient(net, shardrpc.Limits{})
	n.auditing = (&auditing{
		volume: n.volume, node: n.keys.cert.Node, shelf: own, holders: n.holders, find: n.host.Node, doubt: n.clock.doubt, log: n.log,
	}).start(n.config)
	n.moved = (&surrender{
		volume: n.volume, charters: n.released.charters, self: n.keys.cert.Node, doubt: n.clock.doubt, budget: n.config.DeletionBudget,
		members: func(node ident.PublicKey) placer {
			if node == n.keys.cert.Node {
				return l
			}
			return n.client.Member(node, ident.Signed{})
		},
		prover: func(chain ledger.Chain, node ident.PublicKey) prover {
			return limited{n.holders.Holder(node, chain.ID(), credentialOf(chain)), n.throttle, classAudit, nil}
		},
		after: n.config.MovedAfter.Or(DefaultMovedAfter), dropped: func() { n.steward.did.dropped.Add(1) }, stamp: at, log: n.log,
	}).start()
	n.steward = (&steward{
		keys: n.keys, volume: n.volume, shelf: own, ledgers: l, client: n.client, holders: n.holders, throttle: n.throttle, around: nearby{n},
		witness: func(node ident.PublicKey) headed { return n.client.Member(node, ident.Signed{}) },
		rules:   n.config.repairRules(), stamp: at, log: n.log,
	}).start()
	shardrpc.Serve(net, own, shardrpc.Limits{Refused: n.meters.refused(protocolShard), Answered: n.meters.answered(protocolShard)})
	ledgerrpc.Serve(net, ledgerrpc.Config{
		Reader: l, Voter: l, Witness: l, Placer: l, Auditor: l, Counter: l, Successor: l, Docket: l, Releaser: l, Undoer: l,
		Admit: l.admit, Limits: ledgerrpc.Limits{Refused: n.meters.refused(protocolLedger), Answered: n.meters.answered(protocolLedger)},
	})
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newGauges(n.look))
}

// work makes the loops.
func (n *Node) work(l *ledgers, at stamp) {
	who := knownWitnesses{n.keys.cert.Node, l, n.client}
	n.certifier = &certifier{witnesses: who, log: n.log}
	newest := &charters{volume: n.volume, witnesses: who, log: n.log}
	n.releaser = &releaser{volume: n.volume, charters: newest, witnesses: who, stamp: at, log: n.log}
	n.released = (&released{
		volume: n.volume, charters: newest, witnesses: who, doubt: n.clock.doubt, budget: n.config.DeletionBudget, stamp: at, log: n.log,
	}).start()
	n.puller = (&puller{
		volume: n.volume, own: l, node: n.keys.cert.Node, now: n.now, log: n.log,
		at: func(node ident.PublicKey) peer { return n.client.Member(node, ident.Signed{}) },
	}).start()
	n.revoked = (&revocations{volume: n.volume, charters: newest, at: n.puller.at, log: n.log}).start()
	n.sweeps = bg.NewLoop("let go of provisional shards", time.Hour, n.releaser.sweep, bg.Jitter(10*time.Minute), bg.Log(n.log))
	n.repairs = bg.NewLoop("reconcile book and shelf", 24*time.Hour, n.reconcile, bg.AtOnce(), bg.Log(n.log))
	n.spoiled.volume = n.volume
	n.standing = (&ownStanding{
		volume: n.volume, node: n.keys.cert.Node, charters: newest, now: n.now, log: n.log,
		at: func(node ident.PublicKey) ledgerrpc.Auditor {
			if node == n.keys.cert.Node {
				return l
			}
			return n.client.Member(node, ident.Signed{})
		},
	}).start(n.config.AuditEvery.Or(audit.DefaultEvery))
	n.scrub = (&scrub{
		volume: n.volume, every: n.config.ScrubEvery.Or(defaultScrub), rate: n.config.ScrubRate, now: n.now, log: n.log,
	}).start()
	n.drains = bg.NewLoop("drain volumes", moveEvery, n.drainVolumes, bg.AtOnce(), bg.Log(n.log))
	n.ends(l, newest)
	n.volume.back = func() {
		n.repairs.Trigger()
		n.drains.Trigger()
		n.puller.hurry()
		n.revoked.loop.Trigger()
		n.announce.loop.Trigger()
	}
}

// ends makes what tells whether this node can be stopped, and follows how it is emptied.
func (n *Node) ends(l *ledgers, newest *charters) {
	n.stop = &stopping{
		volume: n.volume, node: n.keys.cert.Node, charters: newest, nodes: func(ctx context.Context) ([]p2p.Node, error) { return n.host.Nodes(ctx) },
		at: func(node ident.PublicKey) ledgerrpc.Auditor { return n.client.Member(node, ident.Signed{}) }, now: n.now,
	}
	n.drainer = (&drainer{
		dir: n.dir, keys: n.keys, volume: n.volume, charters: newest, intent: n.orders.intent.get,
		refuse: n.orders.emptied.Store, certifier: n.certifier, now: n.now, log: n.log,
		at: func(node ident.PublicKey) ledgerrpc.Counter {
			if node == n.keys.cert.Node {
				return l
			}
			return n.client.Member(node, ident.Signed{})
		},
	}).start()
}

// memberships returns the first charters of the vaults of which this node is a member.
func (n *Node) memberships(ctx context.Context) (out []ident.Signed, err error) {
	err = n.volume.use(ctx, func(p *parts) error {
		for _, v := range p.member.All() {
			chain, err := p.member.Chain(v)
			if err != nil {
				return err
			}
			if _, member := chain.Current().MemberByNode(n.keys.cert.Node); member {
				out = append(out, chain.Charters()[0])
			}
		}
		return nil
	})
	return out, err
}

// operatorOf tells whose node a peer is, zero if it is none.
func (n *Node) operatorOf(ctx context.Context, peer ident.PublicKey) ident.PublicKey {
	known, err := n.host.Node(ctx, peer)
	if err != nil {
		return ident.PublicKey{}
	}
	return known.Certificate.Operator
}

const (
	watchEvery    = 500 * time.Millisecond // how soon a volume that is gone is noticed
	writeEvery    = time.Second            // how long changes of the book may wait
	shutdownLimit = 15 * time.Second
)

// Run works until ctx ends, then closes everything. It returns nil after a clean
// shutdown.
func (n *Node) Run(ctx context.Context) error {
	n.log.Info("node starts", "node", p2p.PeerID(n.keys.cert.Node), "operator", n.keys.cert.Name, "network", n.keys.cert.Network, "addrs", n.host.Addrs())
	g := &bg.Group{Log: n.log}
	loop := func(name string, every time.Duration, f func(ctx context.Context) error) {
		g.Go(name, bg.NewLoop(name, every, f, bg.Log(n.log)).Run)
	}
	g.Go("admin", func(ctx context.Context) error { return n.admin.serve(ctx, n.adminHandler(n.registry)) })
	g.Go("network", n.host.Start)
	g.Go("look around", n.around.run)
	g.Go("announce", n.announce.loop.Run)
	g.Go("provisional", n.sweeps.Run)
	g.Go("reconcile", n.repairs.Run)
	g.Go("drain volumes", n.drains.Run)
	g.Go("follow releases", n.released.loop.Run)
	g.Go("catch up", n.puller.loop.Run)
	g.Go("learn of revocations", n.revoked.loop.Run)
	g.Go("raise alarms", bg.NewLoop("raise alarms", raiseEvery, n.raise, bg.AtOnce(), bg.Log(n.log)).Run)
	g.Go("follow the drain", n.drainer.loop.Run)
	loop("follow the operator", watchEvery, n.orders.look)
	g.Go("audit holders", n.auditing.rounds.Run)
	g.Go("ask for own standing", n.standing.loop.Run)
	g.Go("read the volumes through", n.scrub.loop.Run)
	g.Go("say what is lost", n.spoiled.loop.Run)
	g.Go("ask suspects again", n.auditing.probes.Run)
	g.Go("repair", n.steward.loop.Run)
	g.Go("let go of moved shards", n.moved.loop.Run)
	loop("watch volume", watchEvery, n.volume.watch)
	loop("write book", writeEvery, n.writeBook)
	loop("watch clock", clockEvery, n.watchClock)
	<-ctx.Done()
	n.stopping.Store(true)
	n.log.Info("node stops")
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	err := errors.Join(g.Close(limit), n.close())
	n.log.Info("node stopped")
	return err
}

func (n *Node) writeBook(ctx context.Context) error {
	err := n.volume.use(ctx, func(p *parts) error { return p.book.flush() })
	if n.volume.paused() != nil {
		return nil
	}
	return err
}

// watchClock says when the clock comes into doubt, or out of it.
func (n *Node) watchClock(context.Context) error {
	doubt := n.clock.doubt()
	switch was := n.doubted.Swap(doubt != nil); {
	case doubt != nil && !was:
		n.log.Error("this node consents to nothing and erases nothing until its clock is set right", "error", doubt)
	case doubt == nil && was:
		n.log.Info("the clock is believed again")
	}
	return n.clock.remember()
}

func (n *Node) reconcile(ctx context.Context) error {
	err := n.volume.use(ctx, func(p *parts) error { return p.reconcile(ctx) })
	if n.volume.paused() != nil {
		return nil
	}
	return err
}

// close closes what is open, the network first so that nobody is half served.
func (n *Node) close() error {
	var errs []error
	if n.client != nil {
		n.client.Close()
	}
	if n.holders != nil {
		n.holders.Close()
	}
	if n.host != nil {
		errs = append(errs, n.host.Close())
	}
	if n.admin != nil {
		errs = append(errs, n.admin.close())
	}
	if n.volume != nil {
		errs = append(errs, n.volume.close())
	}
	if n.unlock != nil {
		errs = append(errs, n.unlock())
	}
	return errors.Join(errs...)
}
