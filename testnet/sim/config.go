package sim

import (
	"errors"
	"fmt"
	"time"

	"holdfast/erasure"
	"holdfast/node/repair"
)

// ErrConfig says that there is no such network, or none that can be played here.
var ErrConfig = errors.New("not a network that can be simulated")

// Config says what a network is like and what befalls it. All chances are of a year
// and independent of each other.
type Config struct {
	Nodes     int `json:"nodes"`
	Operators int `json:"operators"` // 0: one for each node
	Zones     int `json:"zones"`     // 0: one for each operator
	// Admitted is the number of operators that the charter of one vault admits at
	// most. A larger network is several vaults, each with operators of its own, which
	// share zones and versions.
	Admitted int          `json:"admitted"`
	Code     erasure.Code `json:"-"`        // the zero value: by the number of operators of a vault
	Segments int          `json:"segments"` // of each vault; each stands for as many as fill the nodes
	Years    float64      `json:"years"`

	AFR          float64       `json:"afr"`           // chance that a node's disk is lost
	OperatorLoss float64       `json:"operator_loss"` // chance that an operator is gone, with all his nodes and no notice
	ZoneLoss     float64       `json:"zone_loss"`     // chance that a zone is lost, with all its nodes
	VersionBug   float64       `json:"version_bug"`   // chance that a version of the program destroys what its nodes store
	VersionShare float64       `json:"version_share"` // chance that an operator runs that version then
	Rot          float64       `json:"rot"`           // chance that one shard is damaged on a disk that lives on
	Offline      float64       `json:"offline"`       // share of the time that a node is away
	Outage       time.Duration `json:"-"`             // mean length of an absence

	Grace       time.Duration `json:"-"`           // from the absence of a holder until its shards are rebuilt
	Replace     time.Duration `json:"-"`           // from a loss until a new, empty node takes that place; 0: never
	RepairRate  int64         `json:"repair_rate"` // bytes a second that a member reads and writes for repair; 0: nobody repairs
	NodeData    int64         `json:"node_data"`   // bytes that a node stores
	SegmentSize int64         `json:"segment_size"`

	Runs int    `json:"runs"` // repetitions
	Seed uint64 `json:"seed"`

	// Plan decides what a member repairs; the program's own if nil.
	Plan Planner `json:"-"`
	// Progress is told what is being done; nobody if nil.
	Progress func(text string) `json:"-"`
}

// Limits of what is played: they bound time and memory.
const (
	MaxNodes   = 100_000
	MaxHolders = 20_000    // nodes of one vault
	MaxShards  = 1_000_000 // of one vault
	MaxRuns    = 1_000
	MaxYears   = 100
)

// Defaults are the assumptions of docs/durability.md.
func Defaults() Config {
	return Config{
		Nodes: 100, Admitted: 40, Segments: 10, Years: 10,
		AFR: 0.05, OperatorLoss: 0.01, ZoneLoss: 0.001, VersionBug: 0.001, VersionShare: 0.3, Rot: 0.001,
		Offline: 0.01, Outage: 4 * time.Hour,
		Grace: 24 * time.Hour, Replace: 7 * 24 * time.Hour,
		RepairRate: 64 << 20, NodeData: 1 << 40, SegmentSize: 32 << 20,
		Runs: 10,
	}
}

// fill completes and checks a configuration.
func (c *Config) fill() error {
	if c.Operators == 0 {
		c.Operators = c.Nodes
	}
	if c.Zones == 0 {
		c.Zones = c.Operators
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Plan == nil {
		c.Plan = repair.Plan
	}
	if err := c.checkSize(); err != nil {
		return err
	}
	if c.Code == (erasure.Code{}) {
		var err error
		if c.Code, err = erasure.ForOperators(c.operatorsOf(0)); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if err := c.Code.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if n := c.nodesIn(0); n > MaxHolders {
		return fmt.Errorf("%w: %d nodes in a vault; up to %d can be", ErrConfig, n, MaxHolders)
	}
	if n := c.Segments * c.Code.N; n > MaxShards {
		return fmt.Errorf("%w: %d shards in a vault; up to %d can be", ErrConfig, n, MaxShards)
	}
	return c.checkChances()
}

func (c *Config) checkSize() error {
	for _, n := range []struct {
		name        string
		value, most int
	}{
		{"nodes", c.Nodes, MaxNodes}, {"operators", c.Operators, c.Nodes}, {"zones", c.Zones, c.Operators},
		{"operators of a vault", c.Admitted, MaxNodes}, {"segments", c.Segments, MaxShards / 2}, {"runs", c.Runs, MaxRuns},
	} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("%w: %d %s; 1 to %d can be", ErrConfig, n.value, n.name, n.most)
		}
	}
	if !(c.Years > 0 && c.Years <= MaxYears) {
		return fmt.Errorf("%w: %v years; up to %d can be", ErrConfig, c.Years, MaxYears)
	}
	return nil
}

func (c *Config) checkChances() error {
	for _, p := range []struct {
		name  string
		value float64
	}{
		{"loss of a node", c.AFR}, {"loss of an operator", c.OperatorLoss}, {"loss of a zone", c.ZoneLoss},
		{"bug of a version", c.VersionBug}, {"share of a version", c.VersionShare}, {"damage to a shard", c.Rot}, {"time offline", c.Offline},
	} {
		if !(p.value >= 0 && p.value < 1) && !(p.value == 1 && p.name == "share of a version") {
			return fmt.Errorf("%w: %s %v; it is a chance below 1", ErrConfig, p.name, p.value)
		}
	}
	zone, version := c.shockRates()
	switch {
	case zone+version > mostShocks:
		return fmt.Errorf("%w: %.0f common causes a year", ErrConfig, zone+version)
	case c.Outage <= 0:
		return fmt.Errorf("%w: an absence of %v", ErrConfig, c.Outage)
	case c.Grace < 0 || c.Replace < 0 || c.RepairRate < 0:
		return fmt.Errorf("%w: a time or a rate below zero", ErrConfig)
	case c.NodeData < 1 || c.SegmentSize < int64(c.Code.K):
		return fmt.Errorf("%w: nodes of %d bytes, segments of %d", ErrConfig, c.NodeData, c.SegmentSize)
	}
	return nil
}

// vaults returns how many vaults divide the operators among them.
func (c *Config) vaults() int { return (c.Operators + c.Admitted - 1) / c.Admitted }

// operatorsOf returns how many operators a vault has; they differ by one at most, and
// the first vault has the most.
func (c *Config) operatorsOf(vault int) int { return portion(c.Operators, c.vaults(), vault) }

// nodesOf returns how many nodes an operator has; the first has the most.
func (c *Config) nodesOf(operator int) int { return portion(c.Nodes, c.Operators, operator) }

// nodesIn returns how many nodes a vault has.
func (c *Config) nodesIn(vault int) (nodes int) {
	first := c.firstOf(vault)
	for o := range c.operatorsOf(vault) {
		nodes += c.nodesOf(first + o)
	}
	return nodes
}

// firstOf returns the number of a vault's first operator in the network.
func (c *Config) firstOf(vault int) (first int) {
	for v := range vault {
		first += c.operatorsOf(v)
	}
	return first
}

// portion deals out a whole in parts that differ by one at most.
func portion(whole, parts, which int) int {
	if which < whole%parts {
		return whole/parts + 1
	}
	return whole / parts
}
