package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"holdfast/internal/atomicfile"
	"holdfast/ledger"
)

// Config is what an operator decides about a node: node.toml in the node's folder.
// A key that is not known is an error, never ignored.
type Config struct {
	Network    string   `toml:"network"`
	Zone       string   `toml:"zone"`
	Listen     []string `toml:"listen"`               // multiaddrs
	Bootstrap  []string `toml:"bootstrap,omitempty"`  // multiaddrs with /p2p/; none for a network's first node
	Capacity   int64    `toml:"capacity"`             // bytes that this node offers
	VaultQuota int64    `toml:"vault_quota,omitzero"` // bytes that one vault may use of it; 0 for no limit
	Admin      string   `toml:"admin,omitempty"`      // loopback address of the admin listener

	// DeletionBudget is how many bytes this node erases in 24 hours at most; 0 for the
	// default, the larger of LeastBudget and a twentieth of what is stored.
	DeletionBudget int64 `toml:"deletion_budget,omitzero"`

	Volumes   []VolumeConfig `toml:"volume,omitempty"`    // besides the one in the node's folder
	Limits    []Limit        `toml:"limit,omitempty"`     // of bandwidth, by the time of day
	Announce  []string       `toml:"announce,omitempty"`  // multiaddrs told to others instead of those listened on
	Admission string         `toml:"admission,omitempty"` // whose nodes are let in: AdmissionOpen, the default, or AdmissionRoster
	Roster    string         `toml:"roster,omitempty"`    // file with the operators; a relative path is in the node's folder
	Vaults    string         `toml:"vaults,omitempty"`    // whose shards are taken: VaultsOpen, the default, or VaultsListed

	// How this node audits the holders of the vaults of which it is a member.
	AuditEvery     Duration `toml:"audit_every,omitzero"`     // between two rounds
	AuditSamples   int      `toml:"audit_samples,omitzero"`   // groups a day, of each holder and vault, by all members together
	InventoryEvery Duration `toml:"inventory_every,omitzero"` // between two inventories of a holder
	RepairRate     int64    `toml:"repair_rate,omitzero"`     // bytes a second that repair reads and writes; 0 for the default, -1 for no limit
	MovedAfter     Duration `toml:"moved_after,omitzero"`     // how long a shard is kept that another node holds now
	RepairTurn     Duration `toml:"repair_turn,omitzero"`     // how long a segment is left to each steward before this one
	RepairAfter    Duration `toml:"repair_after,omitzero"`    // how long a holder may be down before it is gone

	// How this node reads its own volumes through.
	ScrubEvery Duration `toml:"scrub_every,omitzero"` // once in so long everything is read
	ScrubRate  int64    `toml:"scrub_rate,omitzero"`  // bytes in a second, at most
}

// ErrConfig says that node.toml cannot be used.
var ErrConfig = errors.New("node.toml cannot be used")

const (
	configName  = "node.toml"
	configLimit = 1 << 20
	configHead  = "# what this node offers; sizes are in bytes; read when the node starts\n"

	// MinCapacity is the least space that a new node may offer: room for one row of a
	// segment coded 1/2, and for the ledger beside it.
	MinCapacity = 64 << 20

	// DefaultAdmin lets the system choose a port; the address then stands in the
	// node's folder.
	DefaultAdmin = "127.0.0.1:0"
)

// Validate checks what can be checked without opening anything.
func (c Config) Validate() error {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"
	switch {
	case c.Network == "" || len(c.Network) > ledger.MaxNetwork || strings.Trim(c.Network, alphabet) != "":
		return fmt.Errorf("%w: network must have 1 to %d of a-z, 0-9 and -", ErrConfig, ledger.MaxNetwork)
	case len(c.Zone) > ledger.MaxName:
		return fmt.Errorf("%w: zone is longer than %d bytes", ErrConfig, ledger.MaxName)
	case len(c.Listen) == 0:
		return fmt.Errorf("%w: listen is missing", ErrConfig)
	case c.Capacity < 1:
		return fmt.Errorf("%w: capacity must be a number of bytes", ErrConfig)
	case c.VaultQuota < 0:
		return fmt.Errorf("%w: vault_quota must be a number of bytes", ErrConfig)
	case c.DeletionBudget < 0:
		return fmt.Errorf("%w: deletion_budget must be a number of bytes", ErrConfig)
	}
	if err := c.checkAudits(); err != nil {
		return err
	}
	for _, a := range c.Listen {
		if rest, ok := splitTCP(a); !ok || rest != "" {
			return fmt.Errorf("%w: listen: %q is not of the form /ip4/0.0.0.0/tcp/4710", ErrConfig, a)
		}
	}
	for _, a := range c.Announce {
		if rest, ok := splitTCP(a); !ok || rest != "" {
			return fmt.Errorf("%w: announce: %q is not of the form /ip4/192.0.2.1/tcp/4710", ErrConfig, a)
		}
	}
	if err := c.checkAdmission(); err != nil {
		return err
	}
	for _, a := range c.Bootstrap {
		if rest, ok := splitTCP(a); !ok || !strings.HasPrefix(rest, "p2p/") {
			return fmt.Errorf("%w: bootstrap: %q is not of the form /ip4/192.0.2.1/tcp/4710/p2p/12D3...", ErrConfig, a)
		}
	}
	return errors.Join(c.checkVolumes(), checkBandwidth(c.Limits), checkAdmin(c.Admin))
}

// checkAdmission judges who is let in, and what is taken.
func (c Config) checkAdmission() error {
	switch {
	case c.Admission != "" && c.Admission != AdmissionOpen && c.Admission != AdmissionRoster:
		return fmt.Errorf("%w: admission is %q or %q", ErrConfig, AdmissionOpen, AdmissionRoster)
	case (c.Admission == AdmissionRoster) != (c.Roster != ""):
		return fmt.Errorf("%w: admission = %q and roster belong together", ErrConfig, AdmissionRoster)
	case c.Vaults != "" && c.Vaults != VaultsOpen && c.Vaults != VaultsListed:
		return fmt.Errorf("%w: vaults is %q or %q", ErrConfig, VaultsOpen, VaultsListed)
	}
	return nil
}

// checkAudits checks how this node audits, and how it reads its own volumes.
func (c Config) checkAudits() error {
	if c.RepairRate < -1 {
		return fmt.Errorf("%w: repair_rate must be a number of bytes, 0 for the default or -1 for no limit", ErrConfig)
	}
	if c.AuditSamples < 0 || c.ScrubRate < 0 {
		return fmt.Errorf("%w: audit_samples and scrub_rate must be numbers, 0 for the default", ErrConfig)
	}
	for _, d := range []struct {
		key string
		Duration
	}{
		{"audit_every", c.AuditEvery}, {"inventory_every", c.InventoryEvery}, {"repair_after", c.RepairAfter}, {"repair_turn", c.RepairTurn}, {"moved_after", c.MovedAfter}, {"scrub_every", c.ScrubEvery},
	} {
		if err := d.check(d.key, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// splitTCP reads the host and the port that a multiaddr begins with.
func splitTCP(addr string) (rest string, ok bool) {
	part := strings.SplitN(addr, "/", 6)
	if len(part) < 5 || part[0] != "" || part[2] == "" || part[3] != "tcp" {
		return "", false
	}
	switch part[1] {
	case "ip4", "ip6", "dns", "dns4", "dns6":
	default:
		return "", false
	}
	if _, err := strconv.ParseUint(part[4], 10, 16); err != nil {
		return "", false
	}
	if len(part) == 6 {
		return part[5], true
	}
	return "", true
}

// ReadConfig returns the configuration of the node in dir.
func ReadConfig(dir string) (Config, error) { return readConfig(dir) }

func readConfig(dir string) (Config, error) {
	text, err := readSmall(filepath.Join(dir, configName), configLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%w: %s", ErrNoNode, dir)
	}
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c := Config{Admin: DefaultAdmin}
	meta, err := toml.Decode(string(text), &c)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Config{}, fmt.Errorf("%w: unknown key %q", ErrConfig, unknown[0].String())
	}
	return c, c.Validate()
}

// writeConfig writes what differs from the defaults.
func writeConfig(dir string, c Config) error {
	if c.Admin == DefaultAdmin {
		c.Admin = ""
	}
	var b bytes.Buffer
	b.WriteString(configHead)
	if err := toml.NewEncoder(&b).Encode(c); err != nil {
		return fmt.Errorf("write %s: %w", configName, err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, configName), b.Bytes(), 0o600)
}

// SetCapacity changes how much the node in dir offers, from its next start on.
func SetCapacity(dir string, capacity int64) error {
	_, err := changeConfig(dir, func(c *Config) error {
		c.Capacity = capacity
		return nil
	})
	return err
}
