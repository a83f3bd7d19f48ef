# One installation: a fenced namespace, and the chart's release with the hospitals as their files say. Realm, organizations,
# buckets and schemas are not described here: the release's own job makes them, so that nothing is written down twice.

locals {
  files     = fileset(var.hospitals_folder, "*.yaml")
  decoded   = { for file in local.files : trimsuffix(file, ".yaml") => yamldecode(file("${var.hospitals_folder}/${file}")) }
  hospitals = { for name, hospital in local.decoded : name => hospital if try(hospital.managed_by, "file") == "file" }
  misnamed  = [for name, hospital in local.hospitals : name if try(hospital.slug, "") != name]
  titles    = compact([for hospital in values(local.hospitals) : try(hospital.dicom.ae_title, "")])
}

resource "kubectl_manifest" "namespace" {
  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Namespace"
    metadata = {
      name = var.namespace
      labels = {
        "pod-security.kubernetes.io/enforce" = "restricted"
        "pod-security.kubernetes.io/warn"    = "restricted"
      }
    }
  })
}

resource "kubectl_manifest" "quota" {
  depends_on = [kubectl_manifest.namespace]
  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "ResourceQuota"
    metadata   = { name = "emr", namespace = var.namespace }
    spec = {
      hard = {
        "requests.cpu"               = var.quota.cpu
        "requests.memory"            = var.quota.memory
        "limits.memory"              = var.quota.memory
        "requests.ephemeral-storage" = var.quota.storage
        "pods"                       = tostring(var.quota.pods)
        "services.nodeports"         = "0"
      }
    }
  })
}

# Gives every container an amount where the chart says none, so that the quota can count it.
resource "kubectl_manifest" "limits" {
  depends_on = [kubectl_manifest.namespace]
  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "LimitRange"
    metadata   = { name = "emr", namespace = var.namespace }
    spec = {
      limits = [{
        type           = "Container"
        default        = { memory = "1Gi" }
        defaultRequest = { cpu = "250m", memory = "512Mi", "ephemeral-storage" = "1Gi" }
      }]
    }
  })
}

resource "helm_release" "emr" {
  depends_on = [kubectl_manifest.quota, kubectl_manifest.limits]

  name      = var.namespace
  namespace = var.namespace
  chart     = var.chart
  timeout   = var.timeout_seconds
  # A release whose migration fails leaves what ran before it running.
  atomic = true

  values = [
    yamlencode({
      baseUrl   = var.base_url
      image     = var.image
      storage   = { endpoint = var.storage_endpoint }
      identity  = { issuer = var.issuer }
      hospitals = local.hospitals
    }),
    yamlencode(var.values),
  ]

  lifecycle {
    precondition {
      condition     = length(local.misnamed) == 0
      error_message = "Each file is named after its slug; these are not: ${join(", ", local.misnamed)}."
    }
    precondition {
      condition     = length(local.titles) == length(distinct(local.titles))
      error_message = "Two hospitals have the same DICOM AE title; the called title picks the hospital."
    }
  }
}
