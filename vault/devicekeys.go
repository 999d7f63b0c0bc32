package vault

import (
	"fmt"

	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/seal"
)

// deviceKeys is what the owner gives to a device, sealed to its index recipient in
// the entry that enrols it: what follows from the words, and as much of it as the
// rights ask for. No node can open it.
type deviceKeys struct {
	V          int64     `cbor:"v"`
	Keys       seal.Keys `cbor:"keys"`
	Identities [][]byte  `cbor:"identities,omitempty"` // seeds, the newest first
}

const deviceKeysVersion = 1

// keysFor derives what a device with these rights may have, from the number of the
// vault identity in force down.
func keysFor(e seal.Entropy, c ledger.Charter, r ledger.Rights) (seal.Keys, []seal.Identity, error) {
	keys := e.Keys(c.Salt[:])
	if !r.CanRead() {
		return keys, nil, nil
	}
	var ids []seal.Identity
	for i := c.Identity; i >= firstIdentity; i-- {
		id, err := e.Identity(c.Salt[:], uint64(i))
		if err != nil {
			return keys, nil, err
		}
		ids = append(ids, id)
	}
	return keys, ids, nil
}

// sealKeys makes the sealed part of an enrolment.
func sealKeys(e seal.Entropy, c ledger.Charter, r ledger.Rights, index string) ([]byte, error) {
	to, err := seal.ParseRecipient(index)
	if err != nil {
		return nil, err
	}
	keys, ids, err := keysFor(e, c, r)
	if err != nil {
		return nil, err
	}
	d := deviceKeys{V: deviceKeysVersion, Keys: keys}
	for _, id := range ids {
		seed := id.Seed()
		d.Identities = append(d.Identities, seed[:])
	}
	plain, err := wire.Encode(d)
	if err != nil {
		return nil, err
	}
	return seal.SealBytes(plain, to)
}

// openKeys opens the sealed part of this device's enrolment.
func openKeys(sealed []byte, index seal.Identity) (seal.Keys, []seal.Identity, error) {
	plain, err := seal.OpenBytes(sealed, ledger.MaxDeviceKeys, index)
	if err != nil {
		return seal.Keys{}, nil, fmt.Errorf("open device keys: %w", err)
	}
	var d deviceKeys
	if err := wire.DecodeVersion(plain, deviceKeysVersion, &d); err != nil {
		return seal.Keys{}, nil, fmt.Errorf("open device keys: %w", err)
	}
	ids, err := identitiesOf(d.Identities)
	if err != nil {
		return seal.Keys{}, nil, fmt.Errorf("open device keys: %w", err)
	}
	return d.Keys, ids, nil
}
