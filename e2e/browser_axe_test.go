package e2e

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe is axe-core, which make test-needs installs.
var axe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile(filepath.Join("sdk", "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
})

// standards are the tags of axe's rules that no page may break: WCAG 2.2 up to
// AA, and what axe's authors hold for good practice beyond it.
const standards = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`

// colourRules are those of the rules whose outcome a theme may change.
const colourRules = `["color-contrast", "link-in-text-block"]`

// accessible fails the test if axe finds something on what is shown now. In the
// dark, whose only difference is its colours, it looks at those.
func (p *tab) accessible(name, theme string) {
	p.Helper()
	source, err := axe()
	if err != nil {
		p.Fatalf("axe-core is not installed; `make test-needs` does it: %v", err)
	}
	if !ask[bool](p, `"axe" in window`) {
		p.do("load axe", chromedp.Evaluate[chromedp.Void](source))
	}
	only := `{ type: "tag", values: ` + standards + ` }`
	if theme == "dark" {
		only = `{ type: "rule", values: ` + colourRules + ` }`
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](
		// An open menu covers what is below it, and that is no smaller for it.
		`axe.run(document, { resultTypes: ["violations"], runOnly: `+only+`, rules: document.querySelector("[data-menu][open]") ? { "target-size": { enabled: false } } : {} }).then(r => r.violations.map(v => ({
			rule: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 200) + " — " + n.failureSummary.replace(/\s+/g, " "))
		})))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: axe: %v", name, err)
	}
	for _, v := range found {
		p.Errorf("%s: %s: %s\n\t%s", name, v.Rule, v.Help, strings.Join(v.Nodes[:min(len(v.Nodes), 5)], "\n\t"))
	}
}

type violation struct {
	Rule, Help string
	Nodes      []string
}

// looked collects what the tests have looked at: the paths of pages, and the ids
// of dialogs.
type looked struct {
	mu      sync.Mutex
	paths   []string
	dialogs map[string]bool
}

func (l *looked) at(p *tab) {
	p.Helper()
	path := ask[string](p, `location.pathname`)
	ids := ask[[]string](p, `[...document.querySelectorAll("dialog[open], dialog:modal")].map(d => d.id)`)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paths = append(l.paths, path)
	for _, id := range ids {
		if l.dialogs == nil {
			l.dialogs = map[string]bool{}
		}
		l.dialogs[id] = true
	}
}

// notLookedAt are GET routes without a page of their own.
var notLookedAt = map[string]string{
	"/{$}":                            "leads on",
	"/static/":                        "files",
	"/settings":                       "leads on",
	"/login/sso/callback":             "leads on; singleSignOn looks at how it fails",
	"/settings/advice":                "a part of the form that adds a secret",
	"/settings/live":                  "a stream",
	"/settings/integrations/callback": "leads on; connectingAccounts looks at how it fails",

	"/settings/integrations/{provider}": "connectingAccounts looks at it",
}

// covers fails the test for each page of the routes table and each dialog of
// the views that was not looked at.
func (l *looked) covers(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	mux := http.NewServeMux()
	pages := pageRoutes(t)
	for _, path := range pages {
		mux.Handle("GET "+path, http.NotFoundHandler())
	}
	for _, path := range l.paths {
		r, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(r)
		seen[strings.TrimPrefix(pattern, "GET ")] = true
	}
	for _, path := range pages {
		if why := notLookedAt[path]; seen[path] == (why != "") {
			t.Errorf("the page GET %s was looked at: %t (its reason not to be is %q); give it a row in everyScreen", path, seen[path], why)
		}
	}
	for _, id := range dialogsOfViews(t) {
		if !l.dialogs[id] {
			t.Errorf("nobody looked at the dialog %s; give it a row in everyScreen or everyDialog", id)
		}
	}
}

// pageRoutes reads the pages' patterns from the table of routes.
func pageRoutes(t *testing.T) (paths []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../handlers/routes.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		if kind, ok := call.Fun.(*ast.Ident); !ok || kind.Name != "pg" && kind.Name != "pub" {
			return true
		}
		method, path := literal(call.Args[0]), literal(call.Args[1])
		if method == http.MethodGet && !strings.HasPrefix(path, "/api/") {
			paths = append(paths, path)
		}
		return true
	})
	if len(paths) < 20 {
		t.Fatalf("the table of routes has only %d pages: %v", len(paths), paths)
	}
	return paths
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}

var dialogCall = regexp.MustCompile(`@dialog\("([a-z-]+)"`)

func dialogsOfViews(t *testing.T) (ids []string) {
	t.Helper()
	files, err := filepath.Glob("../views/*.templ")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range dialogCall.FindAllStringSubmatch(string(source), -1) {
			ids = append(ids, m[1])
		}
	}
	if len(ids) < 10 {
		t.Fatalf("the views have only %d dialogs: %v", len(ids), ids)
	}
	return ids
}
