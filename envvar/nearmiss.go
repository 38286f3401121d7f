package envvar

import (
	"cmp"
	"slices"
	"strings"
)

// NearMiss is a name that is there although another one was wanted.
type NearMiss struct {
	Key    Key
	Reason string // one of the Reason constants
}

// The reasons of near misses, best first. Each completes "KEY …".
const (
	ReasonCase      = "differs only in case"
	ReasonAlias     = "another name for the same credential"
	ReasonMaybeSame = "may be another name for the same credential"
	ReasonSpelling  = "spelled almost the same"
)

var reasonRank = map[string]int{ReasonCase: 0, ReasonAlias: 1, ReasonMaybeSame: 2, ReasonSpelling: 3}

// MaxNearMisses is how many near misses are returned at most.
const MaxNearMisses = 5

// NearMisses finds the names in have that the author of want may have meant,
// best first, and by name among equals; want itself is none. It is made to be
// right rather than complete: names that are known to stand for different
// credentials are never near, and numbers and short words must match, so that
// STRIPE_KEY_2 is not offered for STRIPE_KEY_1.
func NearMisses(want Key, have []Key) []NearMiss {
	w := parseName(want)
	seen := map[Key]bool{want: true}
	var found []NearMiss
	for _, k := range have {
		if seen[k] {
			continue
		}
		seen[k] = true
		if reason := w.compare(parseName(k)); reason != "" {
			found = append(found, NearMiss{k, reason})
		}
	}
	slices.SortFunc(found, func(a, b NearMiss) int {
		return cmp.Or(cmp.Compare(reasonRank[a.Reason], reasonRank[b.Reason]), cmp.Compare(a.Key, b.Key))
	})
	return found[:min(len(found), MaxNearMisses)]
}

// name is a key taken apart for comparison. All parts are in capitals.
type name struct {
	upper      Key
	credential Key      // the line of the alias table that it stands on, or ""
	words      []string // between underscores
	stem, kind string   // STRIPE and key for STRIPE_API_KEY; kind is "" where there is none
}

// kinds are the endings that say "the one key of this service" and so on.
var kinds = []struct{ suffix, kind string }{
	{"_API_KEY", "key"}, {"_APIKEY", "key"}, {"_KEY", "key"},
	{"_API_TOKEN", "token"}, {"_TOKEN", "token"},
	{"_PASSWORD", "password"}, {"_PASSWD", "password"}, {"_PASS", "password"}, {"_PWD", "password"},
	{"_URL", "address"}, {"_URI", "address"},
}

func parseName(k Key) name {
	upper := strings.ToUpper(string(k))
	n := name{upper: Key(upper), credential: credentialOf()[Key(upper)], words: k.words(), stem: upper}
	for _, e := range kinds {
		if stem, ok := strings.CutSuffix(upper, e.suffix); ok && !Key(stem).saysNothing() {
			n.stem, n.kind = stem, e.kind
			break
		}
	}
	return n
}

// compare gives the reason why n and o are near, or "".
func (n name) compare(o name) string {
	switch {
	case n.upper == o.upper:
		return ReasonCase
	case n.credential != "" && o.credential != "":
		if n.credential == o.credential {
			return ReasonAlias
		}
		return ""
	case n.kind != "" && n.stem == o.stem && n.kind == o.kind:
		return ReasonAlias
	case n.stem == o.stem && (n.kind == "key" && o.kind == "token" || n.kind == "token" && o.kind == "key"):
		return ReasonMaybeSame
	case sameWords(n.words, o.words), decorated(n.words, o.words), decorated(o.words, n.words), misspelled(n.words, o.words):
		return ReasonSpelling
	}
	return ""
}

// sameWords reports whether the names have the same words, differently ordered
// or joined: OPEN_AI_KEY and OPENAI_KEY, API_KEY_EXA and EXA_API_KEY.
func sameWords(a, b []string) bool {
	if strings.Join(a, "") == strings.Join(b, "") {
		return true
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// decorations are words that people put around a name.
var decorations = wordSet(`MY OUR THE APP DEFAULT MAIN NEW PROD PRODUCTION LIVE STAGING STAGE DEV DEVELOPMENT TEST SANDBOX NEXT PUBLIC VITE REACT`)

// decorated reports whether long is plain with decorations around it.
func decorated(long, plain []string) bool {
	if len(long) <= len(plain) || len(plain) < 2 {
		return false
	}
	for len(long) > len(plain) && decorations[long[0]] {
		long = long[1:]
	}
	for len(long) > len(plain) && decorations[long[len(long)-1]] {
		long = long[:len(long)-1]
	}
	return slices.Equal(long, plain)
}

// misspelled reports whether the names have as many words and each pair of
// words is equal or a likely slip of the other, with one or two slips in all.
func misspelled(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	slips := 0
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		d := editDistance(a[i], b[i])
		if d > slipsAllowed(a[i], b[i]) {
			return false
		}
		slips += d
	}
	return slips >= 1 && slips <= 2
}

// slipsAllowed is how many slips of the pen can part two words that mean the
// same. In a short word one letter is the difference between FAL and HAL, or
// DEV and DEF, unless the word is one that ends half of all names.
func slipsAllowed(a, b string) int {
	if strings.ContainsAny(a+b, "0123456789") {
		return 0
	}
	shorter := min(len(a), len(b))
	switch {
	case a+"S" == b || b+"S" == a:
		return 1
	case sayNothing()[a] && sayNothing()[b], shorter < 3:
		return 0
	case sayNothing()[a] || sayNothing()[b]:
		return 1
	case shorter >= 8:
		return 2
	case shorter >= 4:
		return 1
	}
	return 0
}

// AlmostSame reports whether two different words of ASCII are probably the same
// one misspelt: they differ by case, or by one or two letters of eight or more.
func AlmostSame(a, b string) bool {
	if a == b || len(a) > MaxKeyLength || len(b) > MaxKeyLength {
		return false
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a == b || min(len(a), len(b)) >= 6 && editDistance(a, b) <= min(len(a), len(b))/6
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours (optimal string alignment). The words are ASCII and, as parts of
// a key, at most MaxKeyLength bytes long.
func editDistance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
