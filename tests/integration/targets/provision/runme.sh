#!/usr/bin/env bash
# The main job, against a simulator that lives as long as this script.
set -eux

folder=$(mktemp -d)
# This script runs from a copy; what else belongs to the collection is where Ansible finds it.
collection="${ANSIBLE_COLLECTIONS_PATH%%:*}/ansible_collections/meshfleet/particle"
PYTHONPATH="${collection}/simulator" "${ANSIBLE_TEST_PYTHON_INTERPRETER}" -m particle_simulator --port-file "${folder}/port" --fleet 6 &
simulator=$!
trap 'kill "${simulator}"; rm -rf "${folder}"' EXIT

until [[ -s "${folder}/port" ]]; do
    kill -0 "${simulator}"
    sleep 0.1
done

PARTICLE_API_URL="http://127.0.0.1:$(<"${folder}/port")"
export PARTICLE_API_URL PARTICLE_USERNAME=demo@example.com PARTICLE_PASSWORD=demo-password
ansible-playbook provision.yml "$@"
