package node

import (
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// account is one device's share of the volume, in one vault. The zero device stands
// for whoever put what the book had to find again.
type account struct {
	vault  ident.CID
	device ident.PublicKey
}

// usage counts payload bytes and shards.
type usage struct{ Bytes, Shards int64 }

func (u usage) plus(o usage) usage { return usage{u.Bytes + o.Bytes, u.Shards + o.Shards} }

// accounts says what is there, and what is on its way in. Whoever uses it holds the
// book's lock.
type accounts struct {
	devices map[account]usage
	vaults  map[ident.CID]usage
	coming  map[account]int64 // bytes of puts that have begun
	arrive  map[ident.CID]int64
}

func newAccounts() accounts {
	return accounts{map[account]usage{}, map[ident.CID]usage{}, map[account]int64{}, map[ident.CID]int64{}}
}

// add books a shard, or with -1 takes it out.
func (a accounts) add(key store.Key, r record, sign int64) {
	a.credit(account{key.Vault, r.Device}, usage{sign * r.Size, sign})
}

func (a accounts) credit(of account, u usage) {
	addTo(a.devices, of, u)
	addTo(a.vaults, of.vault, u)
}

func addTo[K comparable](m map[K]usage, k K, u usage) {
	if u = m[k].plus(u); u == (usage{}) {
		delete(m, k)
		return
	}
	m[k] = u
}

// reserve books size bytes that are on their way in, unless that is above a quota; 0
// is none.
func (a accounts) reserve(of account, size, deviceQuota, vaultQuota int64) error {
	if have := a.devices[of].Bytes + a.coming[of]; deviceQuota > 0 && size > deviceQuota-have {
		return fmt.Errorf("%w: %d of %d bytes are used by the device", shardrpc.ErrQuota, have, deviceQuota)
	}
	if have := a.vaults[of.vault].Bytes + a.arrive[of.vault]; vaultQuota > 0 && size > vaultQuota-have {
		return fmt.Errorf("%w: %d of %d bytes are used by the vault", shardrpc.ErrQuota, have, vaultQuota)
	}
	a.coming[of] += size
	a.arrive[of.vault] += size
	return nil
}

func (a accounts) release(of account, size int64) {
	if a.coming[of] -= size; a.coming[of] == 0 {
		delete(a.coming, of)
	}
	if a.arrive[of.vault] -= size; a.arrive[of.vault] == 0 {
		delete(a.arrive, of.vault)
	}
}

const accountKeySize = ident.CIDSize + len(ident.PublicKey{})

func encodeAccount(a account, u usage) (k, v []byte) {
	k = append(a.vault.Bytes(), a.device[:]...)
	v = binary.BigEndian.AppendUint64(nil, uint64(u.Bytes))
	return k, binary.BigEndian.AppendUint64(v, uint64(u.Shards))
}

func decodeAccount(k, v []byte) (a account, u usage, err error) {
	if len(k) != accountKeySize || len(v) != 16 {
		return a, u, errBook
	}
	if a.vault, err = ident.CIDFromBytes(k[:ident.CIDSize]); err != nil {
		return a, u, errBook
	}
	a.device = ident.PublicKey(k[ident.CIDSize:])
	return a, decodeUsage(v), nil
}

func decodeUsage(v []byte) usage {
	return usage{int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))}
}
