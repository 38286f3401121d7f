package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [DIR]",
		Short: "Print the manual page, or write all pages to a folder",
		Long: `Prints the manual page of infsh in the format of man(7). With DIR, writes that
of each command to a file there. SOURCE_DATE_EPOCH sets the pages' date.`,
		Example: `  infsh man | man -l -
  infsh man /usr/local/share/man/man1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Title: "INFSH", Section: "1", Source: "infsh " + p.Version, Manual: "infsh"}
			if len(args) == 0 {
				if err := doc.GenMan(root, header, p.Out); err != nil {
					return fmt.Errorf("writing the manual page: %w", err)
				}
				return nil
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			header.Title = "" // Each page has its command's name.
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			return nil
		},
	}
}
