// Package armour knows the text (RFC 7468) in which people and machines hand each
// other a structure that is no secret: by mail, by copying, on paper. It does not know
// what the structures mean, and verifies none: what counts in them is signed. It stands
// on encoding/pem and internal/wire.
package armour
