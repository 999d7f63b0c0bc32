package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/internal/armour"
	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/seal"
)

// pending is a device's keys between its request and the owner's answer. It holds
// secrets, and stays on the machine that asked.
type pending struct {
	V      int64  `cbor:"v"`
	Name   string `cbor:"name"` // what this machine will call the vault; empty: what the invitation says
	Device []byte `cbor:"device"`
	Index  []byte `cbor:"index"`
}

const pendingVersion = 1

func (h Home) pendingDir() string { return filepath.Join(h.Dir, "joining") }

func (h Home) pendingPath(device ident.PublicKey) string {
	return filepath.Join(h.pendingDir(), device.String())
}

// Request makes this machine's keys for a vault and returns the text that its owner
// needs in order to enrol them. Nobody is spoken to. Name is what this machine will
// call the vault, or empty; device what the machine is called.
func (h Home) Request(name, device string, o Options) (text []byte, key ident.PublicKey, err error) {
	if name != "" {
		if _, err := h.freeName(name); err != nil {
			return nil, key, err
		}
	}
	private, index, err := newDevice()
	if err != nil {
		return nil, key, err
	}
	key = private.Public()
	signed, err := ledger.SignJoinRequest(private, ledger.JoinRequest{
		Name: shorten(device), Index: index.Recipient().String(), Created: ledger.Millis(o.fill().Now()),
	})
	if err == nil {
		text, err = armour.Encode(labelRequest, signed)
	}
	if err == nil {
		err = h.keepPending(name, private, index)
	}
	if err != nil {
		return nil, key, fmt.Errorf("make join request: %w", err)
	}
	return text, key, nil
}

// freeName returns a name if no vault on this machine has it.
func (h Home) freeName(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if _, err := os.Stat(h.vaultDir(name)); err == nil {
		return "", fmt.Errorf("%w: %s", ErrExists, name)
	}
	return name, nil
}

// keepPending returns when the keys will survive a crash: they are there before the
// request is.
func (h Home) keepPending(name string, device ident.PrivateKey, index seal.Identity) error {
	d, x := device.Seed(), index.Seed()
	data, err := wire.Encode(pending{V: pendingVersion, Name: name, Device: d[:], Index: x[:]})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.pendingDir(), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(h.pendingPath(device.Public()), data, 0o600)
}

// takePending finds the keys that an invitation is for.
func (h Home) takePending(device ident.PublicKey) (name string, p Profile, err error) {
	data, err := readLimited(h.pendingPath(device), linkLimit)
	if errors.Is(err, os.ErrNotExist) {
		return "", p, fmt.Errorf("%w: device %s", ErrNotInvited, device.Short())
	}
	if err != nil {
		return "", p, err
	}
	var f pending
	if err := wire.DecodeVersion(data, pendingVersion, &f); err != nil {
		return "", p, fmt.Errorf("%w: %v", ErrProfile, err)
	}
	if len(f.Device) != ident.SeedSize || len(f.Index) != 32 {
		return "", p, fmt.Errorf("%w: a key has the wrong length", ErrProfile)
	}
	p.Device = ident.NewPrivateKey([32]byte(f.Device))
	p.Index, err = seal.NewIdentity([32]byte(f.Index))
	if err == nil && p.Device.Public() != device {
		err = fmt.Errorf("%w: the keys of another device", ErrProfile)
	}
	return f.Name, p, err
}

// ReadRequest reads the file with which a machine asks to be enrolled.
func ReadRequest(path string) (ledger.JoinRequest, error) {
	text, err := armour.ReadFile(path)
	if err != nil {
		return ledger.JoinRequest{}, fmt.Errorf("read join request: %w", err)
	}
	var s ident.Signed
	if err := armour.Decode(labelRequest, text, &s); err != nil {
		return ledger.JoinRequest{}, fmt.Errorf("read join request: %w", err)
	}
	r, err := ledger.VerifyJoinRequest(s)
	if err != nil {
		return ledger.JoinRequest{}, fmt.Errorf("read join request: %w: %w", ErrArmour, err)
	}
	return r, nil
}
