package audit

import (
	"fmt"
	"strings"
	"time"

	"holdfast/ledger"
)

// This file holds the rule of what weight a holder has when new shards are placed.
//
// SPEC: weight = vetting (50 of 1000 until 21 days and 100 audits passed since first
// seen; test networks: 0 days, 10 audits) × audits × uptime (30 days, full ≥ 0.8) ×
// transfers. Unmounted disk, reboot, an hour offline, wrong clock do not lower it. Only
// placement weight, never a ban.

// Vetting is what a holder must have behind it before it gets its whole share.
type Vetting struct {
	Age    time.Duration
	Passed int64 // audits
}

// The vetting of real networks and of test networks.
var (
	RealVetting = Vetting{21 * 24 * time.Hour, 100}
	TestVetting = Vetting{0, 10}
)

const (
	newWeight    = 50 // of FullWeight, before vetting
	leastWeight  = 10 // nobody is banned
	enoughUp     = 800_000
	auditsFloor  = 800_000 // a score below which audits leave the least weight
	recent       = 100     // challenges, after which an outcome counts a third
	transferStep = 20      // transfers, likewise
)

// weight judges a holder, and says in words what keeps it from having full weight.
func weight(r reach, v record, rules Vetting, now time.Time) (w int, why string) {
	var reasons []string
	full := int64(ledger.FullWeight)
	lower := func(millionths int64, format string, args ...any) {
		if millionths < million {
			full = full * millionths / million
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	age := max(now.Sub(ledger.Time(r.First)), 0)
	if age < rules.Age || v.Passed < rules.Passed {
		lower(newWeight*million/ledger.FullWeight, "new: %d of %d audits passed, here for %d of %d days",
			min(v.Passed, rules.Passed), rules.Passed, int(age/day), int(rules.Age/day))
	}
	lower(max(v.Score-auditsFloor, 0)*million/(million-auditsFloor), "%.1f %% of its latest audits passed%s", percent(v.Score), v.lies())
	up := r.Up.share()
	lower(min(up*million/enoughUp, million), "served %.0f %% of the time in the last 30 days, 80 %% is enough", percent(up))
	lower(million/2+r.Moved/2, "%.0f %% of its latest transfers went well", percent(r.Moved))
	return int(max(full, leastWeight)), strings.Join(reasons, "; ")
}

const day = 24 * time.Hour

func percent(millionths int64) float64 { return float64(millionths) / (million / 100) }

// lies says that wrong bytes were sent, if they were.
func (v record) lies() string {
	if v.Lies == 0 {
		return ""
	}
	return fmt.Sprintf(", and it has sent bytes that are not the shard's, last on %s", ledger.Time(v.Lied).UTC().Format(time.DateOnly))
}

// towards moves a share a part of the way to all, or to nothing.
func towards(share int64, good bool, steps int64) int64 {
	if good {
		return share + (million-share+steps-1)/steps
	}
	return share - share/steps
}
