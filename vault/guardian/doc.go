// Package guardian knows how a vault's root secret is split among people: their key
// files, the shares, the envelopes in which a charter keeps the shares, and how
// enough shares become the secret again. It does not know a network, nor what
// guardians decide: approvals and vetoes are ledger's. It stands on Shamir's scheme
// as github.com/cloudflare/circl has it, over the scalars of ristretto255, and on
// seal; the bytes are those of docs/format.md, section 8.
package guardian
