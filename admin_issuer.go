package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"infsh/auth"
	"infsh/cli"
	"infsh/issuer"
)

func rotateIssuerKeyCommand() *cobra.Command {
	var compromised bool
	cmd := &cobra.Command{
		Use:   "rotate-issuer-key",
		Short: "Replace the key with which the server signs for clouds that trust it",
		Long: `Replace the key with which the server signs tokens for clouds that trust it
(workload identity federation), while servers run. Servers do it by themselves
every 90 days.

The next key, which is published already, signs from now on, or as soon as it has
been published for 48 hours. The one before stays published for a day.

With --compromised all keys are dropped at once, and new ones sign; verifiers forget
the old ones when the keys that they keep in memory have had their time: for when
somebody may know them. Where the public keys were uploaded by hand, upload the
new ones; until then no token is accepted there.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			private()
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			st, err := openStoreAsItIs(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer func() { _ = st.db.Close() }()
			if err := st.db.Migrate(cmd.Context()); err != nil {
				return err
			}
			service := issuer.NewService(st.db.Issuer(), st.kek, nil, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
			done, err := service.Rotate(cmd.Context(), auth.Operator(operatorName()), compromised)
			if err != nil {
				return err
			}
			return printIssuerRotation(cmd.OutOrStdout(), done, compromised)
		},
	}
	cmd.Flags().BoolVar(&compromised, "compromised", false, "trust none of the keys any more")
	addSettings(cmd, storeSettings)
	return cmd
}

func printIssuerRotation(out io.Writer, done issuer.Rotation, compromised bool) (err error) {
	switch {
	case done.From == "":
		_, err = fmt.Fprintf(out, "There was no key. Key %s signs now, and the one after it is published.\n", done.To)
	case compromised:
		_, err = fmt.Fprintf(out, "All keys were dropped. Key %s signs now. Where the public keys were uploaded by hand, upload them anew.\n", done.To)
	case done.At.After(time.Now()):
		_, err = fmt.Fprintf(out, "Key %s signs from %s on, when it has been published for long enough; until then %s does.\n", done.To, done.At.UTC().Format("2006-01-02 15:04 UTC"), done.From)
	default:
		_, err = fmt.Fprintf(out, "Key %s signs now, in the place of %s, which stays published for a day.\n", done.To, done.From)
	}
	return err
}
