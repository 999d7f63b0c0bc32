package main

// sayLaw says who holds more shards of a segment than may be lost together, where the
// operators that there are leave no other way.
func (a *app) sayLaw(broken []string) {
	if a.json {
		return // it stands in the result
	}
	for _, line := range broken {
		a.warn("%s: with the operators that there are it cannot be spread better; operators in other zones would", line)
	}
}

// listOf is a list that is never null in JSON.
func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
