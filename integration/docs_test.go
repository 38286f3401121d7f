package integration_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"infsh/integration"
)

var updateDocs = flag.Bool("update-docs", false, "write the providers into docs/integrations.md")

// What the guide says of each provider is what the catalogue says.
// `go test ./integration -run Guide -update-docs` writes it.
func TestGuideHasEachProvider(t *testing.T) {
	const path = "../docs/integrations.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- providers:begin -->\n.*?<!-- providers:end -->")
	if n := len(block.FindAll(doc, -1)); n != 1 {
		t.Fatalf("%s has %d places for the providers, want 1", path, n)
	}
	var out strings.Builder
	for _, p := range integration.BuiltIn().Providers() {
		writeProvider(&out, p)
	}
	want := []byte("<!-- providers:begin -->\n" + out.String() + "<!-- providers:end -->")
	if *updateDocs {
		if err := os.WriteFile(path, block.ReplaceAllLiteral(doc, want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(block.Find(doc), want) {
		t.Errorf("%s does not say what the catalogue says; go test ./integration -run Guide -update-docs writes it", path)
	}
}

func writeProvider(out *strings.Builder, p *integration.Provider) {
	fmt.Fprintf(out, "### %s\n\n%s At the provider: <%s>\n\n", p.Name, p.About, p.Docs)
	for _, k := range p.Kinds {
		fmt.Fprintf(out, "**%s** gives `%s`.", k.Name, strings.Join(k.Names(), "`, `"))
		if !k.Tried() {
			fmt.Fprintf(out, " %s is not asked about it before a run uses it.", p.Name)
		}
		out.WriteString("\n\n")
		for i, step := range k.Steps {
			fmt.Fprintf(out, "%d. %s\n", i+1, step)
		}
		fmt.Fprintf(out, "\n```sh\n%s```\n\n", commands(p, k))
	}
	out.WriteString("| an app declares | and may |\n|---|---|\n")
	for _, c := range p.Capabilities {
		fmt.Fprintf(out, "| `%s` | %s |\n", c.Key, c.Words)
	}
	out.WriteString("\n")
}

// commands connect a provider in this way.
func commands(p *integration.Provider, k *integration.Kind) string {
	var fields strings.Builder
	for i, f := range k.Fields {
		if f.Optional || f.Default != "" {
			continue
		}
		if i > 0 || k.Type == integration.OAuth || k.Type == integration.Federation {
			fmt.Fprintf(&fields, " --field %s=%s", f.Key, strings.ToUpper(f.Key))
		}
	}
	if k.Type != integration.OAuth && k.Fields[0].Long {
		return fmt.Sprintf("infsh integrations connect %s --type %s%s < key.json\n", p.ID, k.Type, fields.String())
	}
	if k.Type == integration.Federation {
		return fmt.Sprintf("infsh integrations connect %[1]s --type %[2]s   # says what to set there\ninfsh integrations connect %[1]s --type %[2]s%[3]s\n", p.ID, k.Type, fields.String())
	}
	if k.Type != integration.OAuth {
		return fmt.Sprintf("infsh integrations connect %s --type %s%s   # asks for the %s, hidden\n", p.ID, k.Type, fields.String(), strings.ToLower(k.Fields[0].Label[:1])+k.Fields[0].Label[1:])
	}
	need := ""
	for _, c := range p.Capabilities {
		if c.ServedBy(k.Type) {
			need = " --need " + c.Key
			break
		}
	}
	return fmt.Sprintf("infsh integrations client %s --id CLIENT_ID   # asks for the secret, hidden\ninfsh integrations connect %s%s%s\n", p.ID, p.ID, need, fields.String())
}
