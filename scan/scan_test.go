package scan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"infsh/scan"
)

// A value's window is found at every place and whatever the pieces, in its line;
// without the value, next to nothing is asked about.
func TestAValueIsFoundWhereverItStands(t *testing.T) {
	const value = "sk-proj-4fK9aQ2mZx81LbTr"
	key := scan.KeyOf("team")
	window, ok := scan.Choose(value)
	if !ok || !strings.Contains(value, string(window)) || len(window) != scan.Window {
		t.Fatalf("the window is %q, %v", window, ok)
	}
	hash := key.HashOf(window)
	filter := scan.NewFilter(key, []uint32{hash.Short()})
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		before := strings.Repeat("x = \"y\"\n", random.IntN(20)) + strings.Repeat("z9", random.IntN(20))
		text := before + value + "\nend\n"
		var lines []int
		search := filter.Search(func(h scan.Hash, line int) {
			if h == hash {
				lines = append(lines, line)
			}
		})
		for rest := text; rest != ""; {
			n := min(len(rest), 1+random.IntN(9))
			_, _ = search.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if want := 1 + strings.Count(before, "\n"); len(lines) != 1 || lines[0] != want {
			t.Fatalf("found in lines %v, want %d", lines, want)
		}
	}
	asked := 0
	search := filter.Search(func(scan.Hash, int) { asked++ })
	for range 100_000 {
		fmt.Fprintf(search, "some prose with numbers like 12 and 34, and names\nid: %08x-%08x\n", random.Uint32(), random.Uint32())
	}
	if asked > 20 {
		t.Errorf("asked about %d windows", asked)
	}
}

// Nothing is told of what could be guessed.
func TestGuessableValuesHaveNoWindow(t *testing.T) {
	for _, value := range []string{
		"", "1", "true", "hunter2", "password12345", "correct horse battery staple 1", "aaaaaaaaaaaaaaaaaaaaaaaa1", strings.Repeat("12", 40),
		"https://example.com/api/hook", "postgres://app1:hunter2@db1.internal.example.com:5432/prod", "https://user7:correct-horse@example.com/", "host=db1.internal.example.com user=app1 password=hunter2", "onlylettersandnodigitsatallhere", "1234567890123456789012", "pässwörd-pässwörd-9",
	} {
		if window, ok := scan.Choose(value); ok {
			t.Errorf("%q has the window %q", value, window)
		}
	}
}

// A connection string is looked for by its password, and not by a host that stands
// in many files.
func TestAConnectionStringIsFoundByItsPassword(t *testing.T) {
	for value, part := range map[string]string{
		"postgres://app:x7Qm2LpZ9rTb4WkE@db1.internal.example.com:5432/prod": "x7Qm2LpZ9rTb4WkE",
		"host=db1.internal.example.com user=app password=x7Qm2LpZ9rTb4WkE":   "x7Qm2LpZ9rTb4WkE",
		"Server=db1.internal.example.com;Uid=app;Pwd=x7Qm2LpZ9rTb4WkE;":      "x7Qm2LpZ9rTb4WkE",
		"https://u:aB3dE6gH8kL1mN4pQ7sT@h9.example.com/":                     "aB3dE6gH8kL1mN4p",
	} {
		if window, ok := scan.Choose(value); !ok || string(window) != part {
			t.Errorf("%s has the window %q", value, window)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	text := []byte(strings.Repeat("2026-03-01T12:00:01Z info request path=/api/items/4711 status=200 took=1.2ms id=9f86d081884c7d65\n", 1000))
	filter := scan.NewFilter(scan.KeyOf("team"), []uint32{1, 2, 3})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, _ = filter.Search(func(scan.Hash, int) {}).Write(text)
	}
}
