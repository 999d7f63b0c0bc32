package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
)

// orders are what the operator can change while the node runs: who is let in, which
// vaults are taken, what the node announces, and its certificate. All of it stands in
// files, which need no listener and no password. Nil is an operator who has said
// nothing.
type orders struct {
	config Config
	now    clock
	log    *slog.Logger
	tell   func(ctx context.Context) error // repeat to the others what the node announces
	renew  func(cert ident.Signed) error   // show this certificate from now on

	roster      *watched[roster]
	allowed     *watched[allowances]
	granted     *watched[allowances]
	intent      *watched[intent]
	certificate *watched[certificate]

	emptied atomic.Bool // it drains, and is empty or about to say so: see drainsettled.go

	mu      sync.Mutex
	shown   certificate
	unshown error // why the one in the folder is not shown
	told    p2p.State
	until   time.Time
}

// certificate is one that verifies, as it was received and as it reads.
type certificate struct {
	ledger.NodeCertificate
	signed ident.Signed
}

func newOrders(dir string, config Config, keys keyring, now clock, log *slog.Logger) (o *orders, err error) {
	o = &orders{config: config, now: now, log: log, shown: certificate{keys.cert, keys.signed}}
	if o.roster, err = watch(rosterPath(dir, config), readAdmission, log); err != nil {
		return nil, err
	}
	if o.allowed, err = watch(filepath.Join(dir, allowName), readAllowances, log); err != nil {
		return nil, err
	}
	if o.granted, err = watch(filepath.Join(dir, grantsName), readGrants(keys.cert.Operator), log); err != nil {
		return nil, err
	}
	if o.intent, err = watch(filepath.Join(dir, intentName), readIntent, log); err != nil {
		return nil, err
	}
	read := func(string) (certificate, error) {
		cert, signed, err := readCertificate(dir)
		return certificate{cert, signed}, err
	}
	o.certificate, err = watch(filepath.Join(dir, certificateName), read, log)
	return o, err
}

// rosterPath is "" where everybody is admitted.
func rosterPath(dir string, c Config) string {
	if c.Roster == "" || filepath.IsAbs(c.Roster) {
		return c.Roster
	}
	return filepath.Join(dir, c.Roster)
}

func readAdmission(path string) (roster, error) {
	if path == "" {
		return roster{}, nil
	}
	return readRoster(path)
}

// look takes up what has changed. What is announced changes by itself too, when an
// absence ends.
func (o *orders) look(ctx context.Context) error {
	o.roster.look()
	o.allowed.look()
	o.granted.look()
	o.intent.look()
	o.certificate.look()
	err := o.show(o.certificate.get())
	state, until := o.announced()
	o.mu.Lock()
	news := state != o.told || !until.Equal(o.until)
	o.told, o.until = state, until
	o.mu.Unlock()
	if news {
		o.log.Info("announces its state", "state", string(state), "until", until)
		err = errors.Join(err, o.tell(ctx))
	}
	return err
}

// show takes the certificate that stands in the folder now, if it is another one than
// is shown. It was judged by who put it there, and is judged again: one that does not fit
// is an alert, is not shown, and is tried again, since a clock may have been wrong. The
// error is returned once.
func (o *orders) show(c certificate) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.signed.CID() == o.shown.signed.CID() {
		o.unshown = nil
		return nil
	}
	before := o.unshown
	if o.unshown = o.fits(c); o.unshown != nil {
		if before != nil && before.Error() == o.unshown.Error() {
			return nil
		}
		return o.unshown
	}
	o.shown = c
	o.log.Info("shows its next certificate", "serial", c.Serial, "expires", ledger.Time(c.Expires))
	return nil
}

// fits shows a certificate to the others, if that can be done while the node runs. The
// caller holds the lock.
func (o *orders) fits(c certificate) error {
	switch old := o.shown; {
	case c.Operator != old.Operator:
		return fmt.Errorf("%w: it is by operator %s, and the node belongs to %s", ErrCertificateFile, c.Operator, old.Operator)
	case c.Vote != old.Vote:
		return fmt.Errorf("%w: another vote key takes a restart", ErrCertificateFile)
	case c.Serial < old.Serial:
		return fmt.Errorf("%w: its serial is %d, and others are shown %d", ErrCertificateFile, c.Serial, old.Serial)
	}
	if err := o.renew(c.signed); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificateFile, err)
	}
	return nil
}

// current is the certificate that others are shown.
func (o *orders) current() ledger.NodeCertificate {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shown.NodeCertificate
}

// showing is current with its signature.
func (o *orders) showing() (ledger.NodeCertificate, ident.Signed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shown.NodeCertificate, o.shown.signed
}

// announced is what other nodes are told.
func (o *orders) announced() (p2p.State, time.Time) {
	if o == nil {
		return p2p.Serving, time.Time{}
	}
	return o.intent.get().announced(o.now())
}

// takes reports whether new shards are wanted at all.
func (o *orders) takes() bool {
	state, _ := o.announced()
	return state == p2p.Serving
}

func (o *orders) admit(c ledger.NodeCertificate) error { return o.roster.get().admit(c, o.now()) }

// quota returns how many bytes a vault may have here, 0 for no limit. The error, which
// wraps shardrpc.ErrForbidden, says that nothing new of it is taken.
//
// SPEC: what stands in allow.toml goes before a grant, and a grant before node.toml.
func (o *orders) quota(vault ident.CID) (int64, error) {
	if o == nil {
		return 0, nil
	}
	if !o.takes() {
		return 0, fmt.Errorf("%w: the node takes nothing new", shardrpc.ErrFull)
	}
	one, ok := o.allowed.get()[vault]
	if !ok {
		one, ok = o.granted.get()[vault]
	}
	switch {
	case !ok && o.config.Vaults == VaultsListed:
		return 0, fmt.Errorf("%w: this node takes only the vaults that its operator has listed", shardrpc.ErrForbidden)
	case !ok:
		return o.config.VaultQuota, nil
	case over(one.Until, o.now()):
		return 0, fmt.Errorf("%w: this node takes this vault's shards until %s", shardrpc.ErrForbidden, one.Until.UTC().Format(time.RFC3339))
	}
	return one.Quota, nil
}

// troubles are the files that cannot be used as they are now.
func (o *orders) troubles() []error {
	o.mu.Lock()
	unshown := o.unshown
	o.mu.Unlock()
	var errs []error
	for _, err := range []error{o.roster.trouble(), o.allowed.trouble(), o.granted.trouble(), o.intent.trouble(), o.certificate.trouble(), unshown} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
