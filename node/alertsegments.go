package node

import "fmt"

// ofSegments says what is wrong with segments for which no holder is at fault.
func ofSegments(s Status) []Alert {
	if len(s.IllCoded) == 0 {
		return nil
	}
	first := s.IllCoded[0]
	return []Alert{{
		Severity: Warning, Category: "segments",
		Text: fmt.Sprintf("%d segments are ill-coded by whoever wrote them and are not repaired; the first is %s of lane %s", len(s.IllCoded), first.Segment, first.Lane),
		Hint: "tell the vault's owner: the backups of that device have to be made again by a program that is in order",
	}}
}
