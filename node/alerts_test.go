package node

import (
	"math"
	"testing"
	"time"

	"holdfast/ledger/ledgertest"
)

// Each trouble has its category and its severity, and lasts as long as it stands.
func TestAlerts(t *testing.T) {
	now := ledgertest.Start()
	well := func() Status {
		return Status{
			State: StateServing, Started: now.Add(-time.Hour), Expires: now.Add(CertificateLife), Peers: 3,
			Volumes: []VolumeStatus{{Name: "main", State: StateServing, Capacity: 100, Free: 50}},
		}
	}
	for name, c := range map[string]struct {
		edit     func(*Status)
		category string
		severity Severity
	}{
		"well":               {func(*Status) {}, "", ""},
		"paused":             {func(s *Status) { s.State = StatePaused }, "volume", Critical},
		"draining":           {func(s *Status) { s.State = StateDraining }, "state", Info},
		"away":               {func(s *Status) { s.State = StateAway }, "state", Info},
		"clock":              {func(s *Status) { s.Doubt = "it has jumped" }, "clock", Critical},
		"a month left":       {func(s *Status) { s.Expires = now.Add(RenewBefore) }, "", ""},
		"less than a month":  {func(s *Status) { s.Expires = now.Add(RenewBefore - time.Second) }, "certificate", Warning},
		"less than a week":   {func(s *Status) { s.Expires = now.Add(expiresSoon - time.Second) }, "certificate", Critical},
		"expired":            {func(s *Status) { s.Expires = now }, "certificate", Critical},
		"corrupt shards":     {func(s *Status) { s.Volumes[0].Damaged = 1 }, "disk", Warning},
		"one volume of two":  {func(s *Status) { s.Volumes = append(s.Volumes, VolumeStatus{Name: "b", State: StatePaused}) }, "volume", Warning},
		"nearly full":        {func(s *Status) { s.Volumes[0].Free = 4 }, "space", Warning},
		"alone":              {func(s *Status) { s.Peers = 0 }, "network", Critical},
		"alone at the start": {func(s *Status) { s.Peers, s.Started = 0, now }, "", ""},
	} {
		n := &Node{now: func() time.Time { return now }, config: Config{Bootstrap: []string{someNode}}, orders: testOrders(Config{}, ledgertest.Start)}
		s := well()
		c.edit(&s)
		got := n.alerts(s)
		if c.category == "" && len(got) > 0 || c.category != "" && (len(got) != 1 || got[0].Category != c.category || got[0].Severity != c.severity || !got[0].Since.Equal(now)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// An alert keeps its beginning while its figures change, and the log hears of it once.
func TestAlertsAreSaidOnce(t *testing.T) {
	var a alarms
	now := ledgertest.Start()
	first := a.date([]Alert{{Severity: Info, Category: "state"}, {Severity: Critical, Category: "clock", Text: "an hour"}}, now)
	if first[0].Category != "clock" || len(a.fresh(first)) != 2 {
		t.Fatalf("%+v", first)
	}
	again := a.date([]Alert{{Severity: Critical, Category: "clock", Text: "two hours"}}, now.Add(time.Hour))
	if !again[0].Since.Equal(now) || len(a.fresh(again)) != 0 {
		t.Errorf("%+v", again)
	}
	a.date(nil, now.Add(2*time.Hour))
	back := a.date([]Alert{{Severity: Critical, Category: "clock"}}, now.Add(3*time.Hour))
	if !back[0].Since.Equal(now.Add(3*time.Hour)) || len(a.fresh(back)) != 1 {
		t.Errorf("%+v", back)
	}
}

// What is wrong with a second volume is news, although the first is away already.
func TestAlertsTellVolumesApart(t *testing.T) {
	var a alarms
	now := ledgertest.Start()
	away := func(names ...string) (s Status) {
		for _, name := range names {
			s.Volumes = append(s.Volumes, VolumeStatus{Name: name, State: StatePaused})
		}
		return s
	}
	if first := a.fresh(a.date(ofDisk(away("b")), now)); len(first) != 1 {
		t.Fatalf("%+v", first)
	}
	both := a.date(ofDisk(away("b", "c")), now.Add(time.Hour))
	if second := a.fresh(both); len(second) != 1 || second[0].about != "c" || !both[0].Since.Equal(now) {
		t.Errorf("%+v of %+v", second, both)
	}
}

// Whether a node can be reached is judged by what several others say.
func TestWayIn(t *testing.T) {
	told := []string{"/ip4/192.0.2.7/tcp/4710/p2p/12D3"}
	seen := []string{"192.0.2.7"}
	for name, c := range map[string]struct {
		reached, asked int
		seen, told     []string
		want           Result
	}{
		"nobody answers":     {0, 0, nil, told, Skipped},
		"all get through":    {3, 3, seen, told, Good},
		"some":               {1, 3, seen, told, Dubious},
		"none":               {0, 3, seen, told, Bad},
		"at another address": {3, 3, []string{"203.0.113.9"}, told, Dubious},
		"by a name":          {3, 3, []string{"203.0.113.9"}, []string{"/dns4/node.example/tcp/1/p2p/12D3"}, Good},
	} {
		if got := judgeWayIn(c.reached, c.asked, c.seen, "port 1: no answer", c.told); got.Result != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if Worst([]Finding{good("a", ""), dubious("b", "", ""), skipped("c", "")}) != Dubious || Worst([]Finding{dubious("b", "", ""), bad("d", "", "")}) != Bad {
		t.Error("the worst of several")
	}
}

// A node that offers more than its file system has is told so, and what is on the volume
// already is no part of that.
func TestRoom(t *testing.T) {
	for name, c := range map[string]struct {
		free, room int64
		want       Result
	}{
		"enough":                  {100 << 30, 99 << 30, Good},
		"a full volume":           {spared, 0, Good},
		"more than is free":       {100 << 30, 100<<30 + 1, Dubious},
		"none for the ledgers":    {spared - 1, 0, Bad},
		"a system that says none": {math.MaxInt64, 1 << 40, Dubious},
	} {
		if got := judgeRoom(c.free, c.room); got.Result != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
