package node

import (
	"errors"
	"fmt"
	"time"
)

// Limit is a limit of bandwidth at a time of the day: [[limit]] in node.toml.
type Limit struct {
	From Hour `toml:"from,omitempty"` // local time; with To, a part of the day, across midnight if From is the later one
	To   Hour `toml:"to,omitempty"`
	Up   Rate `toml:"up,omitzero"`   // of payload that this node sends
	Down Rate `toml:"down,omitzero"` // of payload that comes to it
}

// Hour is a time of the day as people write it: 07:00.
type Hour string

// minutes since midnight.
func (h Hour) minutes() (int, error) {
	t, err := time.Parse("15:04", string(h))
	if err != nil || len(h) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of the day, as 07:00", string(h))
	}
	return t.Hour()*60 + t.Minute(), nil
}

// LeastRate is the smallest limit. With less, a stride of a transfer would not be done
// within the time that the other side gives it, with several transfers at once.
const LeastRate = 64 << 10

// MaxLimits bounds how many parts of the day there are.
const MaxLimits = 64

// checkBandwidth is a part of Config.Validate.
func checkBandwidth(limits []Limit) error {
	if len(limits) > MaxLimits {
		return fmt.Errorf("%w: more than %d limits", ErrConfig, MaxLimits)
	}
	for _, l := range limits {
		if err := l.check(); err != nil {
			return fmt.Errorf("%w: limit: %w", ErrConfig, err)
		}
	}
	return nil
}

func (l Limit) check() error {
	if (l.From == "") != (l.To == "") {
		return errors.New("from and to stand together, or neither for the whole day")
	}
	if l.From != "" {
		_, from := l.From.minutes()
		_, to := l.To.minutes()
		if err := errors.Join(from, to); err != nil {
			return err
		}
	}
	if l.Up == 0 && l.Down == 0 {
		return errors.New("up, down or both are needed")
	}
	for _, r := range []Rate{l.Up, l.Down} {
		if r != 0 && r < LeastRate {
			return fmt.Errorf("%d bytes a second are less than %d", r, int64(LeastRate))
		}
	}
	return nil
}

// holds reports whether the limit is one at a time of the day. A part that begins and
// ends at the same minute is the whole day.
func (l Limit) holds(now time.Time) bool {
	if l.From == "" {
		return true
	}
	from, _ := l.From.minutes() // checked when the configuration was read
	to, _ := l.To.minutes()
	at := now.Hour()*60 + now.Minute()
	if from < to {
		return from <= at && at < to
	}
	return at >= from || at < to
}
