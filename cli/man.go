package cli

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pages are made from the commands by a test of the program, run by `make
// generate`: what makes them, Markdown's parser included, would be a noticeable part
// of each start of the program.
//
//go:embed man/*.1
var pages embed.FS

// Undated is what a page has in the place of its date and its version.
const Undated = `"Jan 1970" "infsh VERSION"`

func (p *program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [DIR]",
		Short: "Print the manual page, or write all pages to a folder",
		Long: `Prints the manual page of infsh in the format of man(7). With DIR, writes that
of each command to a file there. SOURCE_DATE_EPOCH sets the pages' date.`,
		Example: `  infsh man | man -l -
  infsh man /usr/local/share/man/man1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			date := time.Now()
			if epoch := p.env("SOURCE_DATE_EPOCH"); epoch != "" {
				seconds, err := strconv.ParseInt(epoch, 10, 64)
				if err != nil {
					return fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds")
				}
				date = time.Unix(seconds, 0)
			}
			dated := fmt.Sprintf(`"%s" "infsh %s"`, date.UTC().Format("Jan 2006"), p.Version)
			page := func(name string) ([]byte, error) {
				text, err := fs.ReadFile(pages, "man/"+name)
				return []byte(strings.Replace(string(text), Undated, dated, 1)), err
			}
			if len(args) == 0 {
				text, err := page("infsh.1")
				if err != nil {
					return fmt.Errorf("reading the manual page: %w", err)
				}
				p.printf("%s", text)
				return nil
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			entries, err := fs.ReadDir(pages, "man")
			if err != nil {
				return fmt.Errorf("reading the manual pages: %w", err)
			}
			for _, entry := range entries {
				text, err := page(entry.Name())
				if err == nil {
					err = os.WriteFile(filepath.Join(args[0], entry.Name()), text, 0o644)
				}
				if err != nil {
					return fmt.Errorf("writing the manual pages: %w", err)
				}
			}
			return nil
		},
	}
}
