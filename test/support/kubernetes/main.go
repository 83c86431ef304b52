// Reads manifests from stdin and decodes each into the Go type of its kind, strictly: an unknown key, a wrong type or a key that
// is there twice is an error. Says the kinds it read, one a line; the exit code is 1 after an error.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme, monitoring.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	failed := false
	for {
		document, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, kind, err := decoder.Decode(document, nil, nil)
		switch {
		case runtime.IsMissingKind(err) && !hasContent(document):
		case err != nil:
			failed = true
			fmt.Fprintln(os.Stderr, err)
		default:
			fmt.Println(kind.Kind)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// hasContent is false for a document of comments only, which Helm leaves of a template that is switched off.
func hasContent(document []byte) bool {
	json, err := yaml.ToJSON(document)
	return err != nil || string(json) != "null"
}
