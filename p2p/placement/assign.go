package placement

// assign gives each turn one of n shards. Each takes, of the shards that are left,
// the one that it values most; so the place of a turn that falls away passes to
// few others.
func assign(turns []turn, n int) []int {
	placed := make([]int, n)
	for i := range placed {
		placed[i] = None
	}
	for _, t := range turns {
		best, value := None, uint64(0)
		for i, holder := range placed {
			if v := mix(t.key, uint64(i)); holder == None && (best == None || v > value) {
				best, value = i, v
			}
		}
		placed[best] = t.node
	}
	return placed
}

// mix is a step of SplitMix64: it spreads a and b over 64 bits, evenly, without any
// promise against somebody who chooses them.
func mix(a, b uint64) uint64 {
	z := a + (b+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
