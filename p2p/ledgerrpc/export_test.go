package ledgerrpc

import (
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// What the tests outside of the package look at.
var (
	Refusals       = refusals
	ParseSegments  = parseSegments
	EncodeSegments = encodeSegments
	ParseShards    = parseShards
	EncodeShards   = encodeShards
	ParseLinks     = parseLinks
	PackHead       = packHead
	PackSegments   = packSegments
)

// ParseHead reads what travels with a HeadError and encodes it again.
func ParseHead(p []byte) ([]byte, error) {
	h, err := parseHead(p)
	if err != nil {
		return nil, err
	}
	return wire.Encode(h)
}

// Messages are examples of every message, by name.
func Messages(vault, name ident.CID, lane ident.PublicKey, grant ident.Signed) map[string]any {
	nonce := [16]byte{1, 2, 3}
	return map[string]any{
		"charters":            vaultRequest{Op: Charters, Vault: vault},
		"vaults":              ownerRequest{Op: Vaults, Owner: lane.ID()},
		"heads":               nonceRequest{Op: Heads, Vault: vault, Nonce: nonce},
		"links":               linksRequest{Op: Links, Vault: vault, Lane: lane, From: 1, Limit: 100},
		"body":                nameRequest{Op: Body, Vault: vault, Name: name},
		"body with a grant":   nameRequest{Op: Body, Vault: vault, Name: name, Grant: grant},
		"entry":               nameRequest{Op: Entry, Vault: vault, Name: name},
		"accept":              acceptRequest{Op: Accept, Parts: []uint64{2000}},
		"propose":             vaultRequest{Op: Propose, Vault: vault, Parts: []uint64{400, 300, 1 << 20}},
		"certify":             vaultRequest{Op: Certify, Vault: vault, Parts: []uint64{1000}},
		"adopt":               vaultRequest{Op: Adopt, Vault: vault, Parts: []uint64{1300, 1 << 20}},
		"segments":            nonceRequest{Op: Segments, Vault: vault, Nonce: nonce, Parts: []uint64{72}},
		"place":               vaultRequest{Op: Place, Vault: vault, Parts: []uint64{600, 400}},
		"placements":          vaultRequest{Op: Placements, Vault: vault, Parts: []uint64{72}},
		"moves":               movesRequest{Op: Moves, Vault: vault},
		"moves from":          movesRequest{Op: Moves, Vault: vault, From: 7, Store: [8]byte{1, 2}, Grant: grant},
		"moves answer":        movesAnswer{Parts: []uint64{600, 400}, Store: [8]byte{1, 2}, Next: 8},
		"placed":              placedRequest{Op: Placed, Vault: vault, Nonce: nonce, Parts: []uint64{40}},
		"held":                heldRequest{Op: Holding, Vault: vault, Nonce: nonce, Node: lane},
		"key":                 keyRequest{Op: Key, Vault: vault, Nonce: nonce},
		"key of a new vault":  keyRequest{Op: Key, Nonce: nonce},
		"freeze":              vaultRequest{Op: Freeze, Vault: vault, Parts: []uint64{2000}},
		"successions":         successionsRequest{Op: Successions, Vault: vault, From: 2},
		"report":              vaultRequest{Op: Report, Vault: vault, Parts: []uint64{300}},
		"evidence":            vaultRequest{Op: Evidence, Vault: vault},
		"about a floor":       head{Floor: 3},
		"request":             vaultRequest{Op: Ask, Vault: vault, Parts: []uint64{700}},
		"request, successor":  vaultRequest{Op: Ask, Vault: vault, Parts: []uint64{700, 2000}},
		"opine":               opineRequest{Op: Opine, Vault: vault, Kind: ledger.Approve, Parts: []uint64{400}},
		"cases":               casesRequest{Op: Cases, Vault: vault},
		"cases after":         casesRequest{Op: Cases, Vault: vault, After: name},
		"confirm":             vaultRequest{Op: Confirm, Vault: vault, Parts: []uint64{400}},
		"confirmations":       vaultRequest{Op: Confirmations, Vault: vault},
		"free":                freeRequest{Op: Free, Vault: vault, Request: name},
		"free after":          freeRequest{Op: Free, Vault: vault, Request: name, After: vault, Grant: grant},
		"free answer":         freeAnswer{Parts: []uint64{72}, More: true},
		"consent":             vaultRequest{Op: Consent, Vault: vault, Parts: []uint64{500}},
		"release":             vaultRequest{Op: Release, Vault: vault, Parts: []uint64{2000}},
		"released":            releasedRequest{Op: Released, Vault: vault, From: 1, Limit: 100},
		"undo":                vaultRequest{Op: Undo, Vault: vault, Parts: []uint64{400}},
		"undone":              vaultRequest{Op: Undone, Vault: vault, Parts: []uint64{1500}},
		"standing":            nonceRequest{Op: Standing, Vault: vault, Nonce: nonce, Parts: []uint64{72}},
		"audits":              auditsRequest{Op: Audits, Vault: vault, Nonce: nonce},
		"audits of a node":    auditsRequest{Op: Audits, Vault: vault, Nonce: nonce, Node: lane, Grant: grant},
		"answer with a part":  answer{Parts: []uint64{300}},
		"answer":              answer{},
		"about a head":        head{Height: 7, Entry: name, Lock: ledger.Lock{Height: 8, Attempt: 0, Entry: name}},
		"about an empty lane": head{},
	}
}

// Parse reads a frame as the message of its verb and returns it encoded again, or
// nil.
func Parse(p []byte) []byte {
	var h header
	if decode(p, &h) != nil {
		return nil
	}
	try := func(v any, err error) []byte {
		if err != nil {
			return nil
		}
		return wire.MustEncode(v)
	}
	switch h.Op {
	case Vaults:
		var m ownerRequest
		err := decode(p, &m)
		return try(m, err)
	case Heads, Segments, Standing:
		var m nonceRequest
		err := decode(p, &m)
		return try(m, err)
	case Links:
		m, err := parseLinks(p)
		return try(m, err)
	case Entry, Body:
		var m nameRequest
		err := decode(p, &m)
		return try(m, err)
	case Moves:
		m, err := parseMoves(p)
		return try(m, err)
	case Placed:
		var m placedRequest
		err := decode(p, &m)
		return try(m, err)
	case Holding:
		var m heldRequest
		err := decode(p, &m)
		return try(m, err)
	case Key:
		var m keyRequest
		err := decode(p, &m)
		return try(m, err)
	case Successions:
		m, err := parseSuccessions(p)
		return try(m, err)
	case Opine:
		var m opineRequest
		err := decode(p, &m)
		return try(m, err)
	case Cases:
		var m casesRequest
		err := decode(p, &m)
		return try(m, err)
	case Free:
		var m freeRequest
		err := decode(p, &m)
		return try(m, err)
	case Released:
		var m releasedRequest
		err := decode(p, &m)
		return try(m, err)
	case Audits:
		var m auditsRequest
		err := decode(p, &m)
		return try(m, err)
	case Accept:
		var m acceptRequest
		err := decode(p, &m)
		return try(m, err)
	}
	var m vaultRequest
	err := decode(p, &m)
	return try(m, err)
}
