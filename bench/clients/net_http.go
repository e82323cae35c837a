// A plain Go client: manifest and config of each image with net/http, the config's digest verified,
// JSON parsed, nothing stored.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

type manifest struct {
	Config      struct{ Digest string }
	Layers      []struct{ MediaType string }
	Annotations map[string]string
}

type config struct {
	Created, Architecture, OS string
	Config                    struct{ Labels map[string]string }
}

// Keeps the connection of every worker.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

func get(url string) ([]byte, error) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, errors.New(answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func read(port string, image []string) error {
	base := "http://127.0.0.1:" + port + "/v2/" + image[0]
	body, err := get(base + "/manifests/" + image[1])
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if body, err = get(base + "/blobs/" + m.Config.Digest); err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if "sha256:"+hex.EncodeToString(sum[:]) != m.Config.Digest {
		return errors.New("the config has another digest")
	}
	var c config
	return json.Unmarshal(body, &c)
}

func main() { measure(read) }
