// Package keep knows which snapshots a person wants to keep: the newest ones, one for
// each hour, day, week, month and year, those of the last days, those with a tag. It
// does not know what members allow, whose snapshots they are, or what time it is. It
// stands on nothing.
package keep
