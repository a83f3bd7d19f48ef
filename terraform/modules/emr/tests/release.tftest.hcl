mock_provider "kubectl" {}
mock_provider "helm" {}

variables {
  chart            = "../../../helm/emr"
  hospitals_folder = "../../../tenants"
  base_url         = "https://emr.example"
  storage_endpoint = "minio.storage:9000"
  issuer           = "https://id.example/realms/emr"
  image            = { repository = "images.example/emr", tag = "0.1.0" }
}

run "onboards_the_hospitals_of_the_files" {
  command = plan

  assert {
    condition     = contains(output.hospitals, "hoa-sen") && contains(output.hospitals, "cau-vong")
    error_message = "A hospital of tenants/ is missing."
  }
  assert {
    condition     = yamldecode(helm_release.emr.values[0]).hospitals["hoa-sen"].facility_code == "79999"
    error_message = "A hospital's file did not reach the chart as it was written."
  }
}

run "passes_no_secret" {
  command = plan

  assert {
    condition     = !can(regex("(?i)(password|secretkey|master)", join("", helm_release.emr.values)))
    error_message = "A secret stands in the release's values."
  }
}

run "fences_the_namespace" {
  command = plan

  variables {
    namespace = "emr-city"
    quota     = { cpu = "2" }
  }

  assert {
    condition     = yamldecode(kubectl_manifest.namespace.yaml_body).metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "The namespace takes pods that are not restricted."
  }
  assert {
    condition     = yamldecode(kubectl_manifest.quota.yaml_body).spec.hard["requests.cpu"] == "2"
    error_message = "The quota is not the one asked for."
  }
  assert {
    condition     = yamldecode(kubectl_manifest.quota.yaml_body).spec.hard["pods"] == "40"
    error_message = "A quota that was not mentioned lost its default."
  }
  assert {
    condition     = helm_release.emr.namespace == "emr-city" && helm_release.emr.atomic
    error_message = "The release is not where it should be, or a failed migration would leave it broken."
  }
}

run "lets_an_installation_say_more" {
  command = plan

  variables {
    values = { serve = { replicas = 4 } }
  }

  assert {
    condition     = yamldecode(helm_release.emr.values[1]).serve.replicas == 4
    error_message = "The further values did not reach the chart."
  }
}

run "refuses_a_bad_namespace" {
  command = plan

  variables {
    namespace = "Emr_City"
  }

  expect_failures = [var.namespace]
}

run "refuses_an_address_without_tls" {
  command = plan

  variables {
    base_url = "http://emr.example"
  }

  expect_failures = [var.base_url]
}

run "refuses_a_file_under_another_name" {
  command = plan

  variables {
    hospitals_folder = "./tests/misnamed"
  }

  expect_failures = [helm_release.emr]
}

run "refuses_two_hospitals_with_one_dicom_title" {
  command = plan

  variables {
    hospitals_folder = "./tests/same-title"
  }

  expect_failures = [helm_release.emr]
}
