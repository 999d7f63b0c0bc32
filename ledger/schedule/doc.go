// Package schedule holds the rules of package ledger against an adversary. Its tests
// play lanes of members, writers and liars in random orders, and for a small vault in
// every order, and look for what must never be: two certificates at one place, two
// final entries at one height, a final entry that is lost, a release of what is still
// referred to, an honest writer that sticks. Signatures, disks and networks are not
// here: what is signed is a fact that everybody believes. The package has no code of
// its own besides its tests.
package schedule
