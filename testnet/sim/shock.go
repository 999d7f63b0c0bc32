package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// shock is a common cause that hits the whole network.
type shock struct {
	at   time.Duration
	kind kind // zoneLost or bug
	zone int
}

// shocks draws what hits the network in a time.
func shocks(c *Config, rng *rand.Rand, length time.Duration) []shock {
	var all []shock
	for range count(rng, Rate(c.ZoneLoss)*float64(c.Zones)*years(length)) {
		all = append(all, shock{between(rng, length), zoneLost, rng.IntN(c.Zones)})
	}
	for range count(rng, Rate(c.VersionBug)*years(length)) {
		all = append(all, shock{between(rng, length), bug, 0})
	}
	return all
}

// expect has shocks hit a vault from now on.
func (w *world) expect(all []shock) {
	for _, s := range all {
		w.in(s.at, s.kind, s.zone, 0)
	}
}

// stratum is a part of all years: those in which so many shocks hit. Their chances are
// known and add up to one, so that each can be looked at alone, and rare ones as
// closely as common ones.
type stratum struct {
	name   string
	chance float64
	hits   bool                     // a common cause may take several shards of a segment at a stroke
	draw   func(*rand.Rand) []shock // for a year of that kind
}

// mostShocks is how many shocks a year strata can be made for.
const mostShocks = 50

// shockRates is how often in a year a zone in which the first vault has nodes is lost,
// and a version destroys what it stores.
func (c *Config) shockRates() (zone, version float64) {
	return Rate(c.ZoneLoss) * float64(c.zonesOfVault()), Rate(c.VersionBug)
}

// zonesOfVault is in how many zones the first vault has nodes: the first ones.
func (c *Config) zonesOfVault() int { return min(c.Zones, c.operatorsOf(0)) }

// strata divides the years of the first vault. The first one is without a shock, the
// last one with several.
func strata(c *Config) []stratum {
	zone, version := c.shockRates()
	none := math.Exp(-zone - version)
	all := []stratum{{"nothing hits more than one operator", none, false, func(*rand.Rand) []shock { return nil }}}
	if zone > 0 {
		all = append(all, stratum{fmt.Sprintf("one of %d zones is lost", c.zonesOfVault()), none * zone, false, func(rng *rand.Rand) []shock {
			return []shock{c.shock(rng, 1)}
		}})
	}
	if version > 0 {
		name := fmt.Sprintf("a version that %.0f %% of operators run destroys their data", 100*c.VersionShare)
		all = append(all, stratum{name, none * version, true, func(rng *rand.Rand) []shock { return []shock{c.shock(rng, 0)} }})
	}
	if zone+version > 0 {
		all = append(all, stratum{"several of the below happen", none * beyondOne(zone+version), true, func(rng *rand.Rand) (hits []shock) {
			for range several(rng, zone+version) {
				hits = append(hits, c.shock(rng, zone/(zone+version)))
			}
			return hits
		}})
	}
	return all
}

// shock draws one that hits the first vault within a year, with the given chance the
// loss of a zone.
func (c *Config) shock(rng *rand.Rand, ofZone float64) shock {
	if rng.Float64() < ofZone {
		return shock{between(rng, year), zoneLost, rng.IntN(c.zonesOfVault())}
	}
	return shock{between(rng, year), bug, 0}
}

// beyondOne is the sum of t^j/j! from j = 2 on.
func beyondOne(t float64) float64 {
	sum, term := 0.0, t
	for j := 2; term > sum*1e-17; j++ {
		term *= t / float64(j)
		sum += term
	}
	return sum
}

// several draws how many shocks there are in a year of which it is known that there are
// two at least, and t are expected of any year.
func several(rng *rand.Rand, t float64) int {
	left := rng.Float64() * beyondOne(t)
	term := t * t / 2
	j := 2
	for ; left > term && term > 0; j++ {
		left -= term
		term *= t / float64(j+1)
	}
	return j
}
