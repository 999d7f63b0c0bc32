package member

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"holdfast/internal/ident"
)

// Config is what a member is.
type Config struct {
	Dir        string          // its own folder, on the volume
	Operator   ident.PublicKey // whose vote it is
	Node       ident.PublicKey
	Vote       ident.PrivateKey
	Now        func() time.Time // time.Now if nil
	MaxVaults  int              // DefaultVaults if 0
	MaxEntries int              // of one vault, DefaultEntries if 0
	Log        *slog.Logger     // discarded if nil

	// Doubt says why this member should not trust its clock; nil, or a function that
	// returns nil, if it may. In doubt it consents to nothing and takes nothing back.
	Doubt func() error
}

// Limits of a member.
const (
	DefaultVaults  = 10_000
	DefaultEntries = 1 << 20
	// MaxDevices is how many devices of one vault are enrolled, revoked ones included.
	MaxDevices = 1024
	// MaxOwned is how many vaults of one owner are told.
	MaxOwned = 16
	// MaxEvidence is how much evidence is kept of one vault.
	MaxEvidence = 64
	// MaxLinks is how many links are returned at once.
	MaxLinks = 1024
	// MaxLinkBytes is how long they are together, if there is more than one.
	MaxLinkBytes = 4 << 20
	// MaxNodes is how many nodes of one operator get to hold shards of a vault, over all
	// of its years.
	MaxNodes = 1024
	// MaxLater is how many shards one later placement names.
	MaxLater = 4096
)

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" || c.Operator.IsZero() || c.Node.IsZero() || c.Vote.IsZero() {
		return c, errors.New("open member: folder, operator, node and vote key are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Doubt == nil {
		c.Doubt = func() error { return nil }
	}
	c.MaxVaults = cmp.Or(c.MaxVaults, DefaultVaults)
	c.MaxEntries = cmp.Or(c.MaxEntries, DefaultEntries)
	return c, nil
}
